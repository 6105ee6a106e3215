// The panel of a thread: a message, the replies to it, and a composer for another one.
// @ts-check
import { fill, h, iconButton, say } from './dom.js';
import { Composer, takeDrops } from './composer.js';
import { keptDraft } from './drafts.js';
import { explain } from './notices.js';
import { chatName } from './people.js';
import { MessageList, itemsOf, listHead } from './timeline.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').Thread} Thread */

export class ThreadPanel {
  /** @type {Thread | null} */ #thread = null;
  /** @type {AbortController | null} */ #opening = null;
  #id = '';
  #chat = '';
  /** As it was when the thread was opened: a chat that one is in again is another. @type {import('/client/index.js').ChatView | null} */
  #view = null;
  /** @type {'more' | 'loading' | 'failed'} */ #older = 'more';
  #headRow = { state: '' };

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.where = h('bdi.topic.cut');
    this.list = new MessageList(app, {
      label: 'Thread', thread: true, row: (key) => this.#row(key), drawHead: () => this.#drawHead(),
      moved: () => this.#moved(), newest: () => this.list.list.toEnd(), back: () => this.composer.focus(),
    });
    this.composer = new Composer(app, {
      label: 'Reply', sent: () => this.list.list.toEnd(), up: () => this.list.focusLast(), leave: () => app.closePanel(),
    });
    this.instead = h('div.instead', { hidden: true });
    this.foot = h('div.chat-foot', null, this.composer.element);
    /** Instead of it, where one cannot write any more. */
    this.kept = h('div.chat-foot', { hidden: true });
    this.element = h('section.panel-body', { 'aria-label': 'Thread' },
      h('header.bar', null, iconButton('back', 'Back to the chat', { class: 'back', onclick: () => app.closePanel() }),
        h('div.names', null, h('h2', { tabindex: '-1' }, 'Thread'), this.where), h('span.gap'),
        iconButton('close', 'Close thread', { class: 'shut', onclick: () => app.closePanel() })),
      this.instead, this.list.element, this.foot, this.kept);
    takeDrops(this.element, () => (this.#thread ? this.composer : null));
  }

  /** @param {string} key */
  #row(key) {
    const rows = this.#thread ? [this.#thread.root, ...this.#thread.rows] : [];
    return rows.find((row) => row?.key === key) ?? null;
  }

  /** @param {string} chat @param {string} id */
  show(chat, id) {
    if (id === this.#id && chat === this.#chat) return;
    this.close();
    this.#id = id;
    this.#chat = chat;
    this.list.list.reset();
    fill(this.list.content);
    this.composer.show(chat, id, 'Reply');
    void this.#open();
  }

  async #open() {
    const [chat, id] = [this.#chat, this.#id];
    const opening = new AbortController();
    this.#opening = opening;
    this.#view = this.app.store.chats.get(chat) ?? null;
    this.instead.hidden = false;
    this.list.element.hidden = true;
    // While it is read one can begin to write: keys must not get lost on the way.
    this.#drawFoot(Boolean(this.#view));
    fill(this.instead, h('span.spinner'));
    try {
      const thread = await this.app.store.openThread(id, chat, { signal: opening.signal });
      if (this.#opening !== opening) return thread.close();
      this.#thread = thread;
      this.instead.hidden = true;
      this.list.element.hidden = false;
      this.draw();
      this.list.list.toEnd();
    } catch (error) {
      if (this.#opening !== opening || opening.signal.aborted) return;
      this.#drawFoot(false);
      fill(this.instead, h('div.nothing', null, h('strong', null, 'This thread cannot be shown'), h('span', null, explain(error)),
        h('button.button', { type: 'button', onclick: () => void this.#open() }, 'Try again')));
    }
  }

  close() {
    this.#end();
    this.#id = '';
  }

  #end() {
    this.#opening?.abort();
    this.#opening = null;
    this.#thread?.close();
    this.#thread = null;
    this.#older = 'more';
  }

  /** @param {import('/client/index.js').Changes} changes @param {boolean} renamed */
  changed(changes, renamed) {
    const view = this.app.store.chats.get(this.#chat);
    if (this.#id && view && view !== this.#view) {
      this.#end();
      void this.#open();
      return;
    }
    if (!this.#thread) return this.#drawFoot(!this.foot.hidden);
    if (renamed) this.list.redraw();
    if (changes.threads.has(this.#id) || renamed || changes.chats.has(this.#chat) || changes.list) this.draw();
  }

  /** One writes where there is a thread, in a chat that one is in. @param {boolean} may */
  #drawFoot(may) {
    const view = this.app.store.chats.get(this.#chat);
    const [wrote, shut] = [this.foot.contains(document.activeElement), !may || !view || Boolean(view.chat.tm_delete)];
    const text = shut ? this.app.drafts.of(`${this.#chat}/${this.#id}`) : '';
    this.foot.hidden = shut;
    this.kept.hidden = !text;
    if (this.kept.querySelector('textarea')?.value !== text) fill(this.kept, keptDraft(text));
    if (wrote && shut) this.element.querySelector('h2')?.focus();
  }

  draw() {
    const thread = this.#thread;
    if (!thread) return;
    const view = this.app.store.chats.get(this.#chat);
    say(this.where, view ? chatName(this.app.store, view) : '');
    this.#drawFoot(true);
    const rows = thread.root ? [thread.root, ...thread.rows] : [...thread.rows];
    const items = itemsOf(rows, { thread: true, unreadAfter: Infinity, version: this.list.version, me: '', root: this.#id });
    if (this.#headRow.state !== this.#older) this.#headRow = { state: this.#older };
    this.list.list.setItems(thread.reachesBeginning ? items
      : [...items.slice(0, thread.root ? 1 : 0), { key: 'head', row: this.#headRow, flags: 0, guess: 50 }, ...items.slice(thread.root ? 1 : 0)]);
    this.list.setNews(0);
  }

  #drawHead() {
    // Arrow keys come by here as by a message.
    return h('div', null, h('div', { 'data-row': 'head', tabindex: '-1' }, listHead({ state: this.#older, again: () => { void this.#loadOlder(); this.draw(); } })));
  }

  #moved() {
    const thread = this.#thread;
    if (thread && !thread.reachesBeginning && this.#older === 'more' && this.list.scroller.scrollTop <= 600) void this.#loadOlder();
  }

  async #loadOlder() {
    const thread = this.#thread;
    if (!thread || this.#older === 'loading') return;
    this.#older = 'loading';
    /** @type {'more' | 'failed'} */ let after = 'failed';
    try {
      // What brought nothing would bring nothing again, at once.
      if (await thread.loadOlder() > 0 || thread.reachesBeginning) after = 'more';
    } catch { /* The head of the list says so. */ }
    if (this.#thread !== thread) return;
    this.#older = after;
    this.draw();
  }

  redraw() {
    this.list.redraw();
    this.draw();
  }
}
