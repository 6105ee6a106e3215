// The panel of a thread: a message, the replies to it, and a composer for another one.
// @ts-check
import { fill, h, iconButton, say } from './dom.js';
import { Composer, takeDrops } from './composer.js';
import { announce, explain } from './notices.js';
import { chatName } from './people.js';
import { MessageList, itemsOf, listHead } from './timeline.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').Thread} Thread */

export class ThreadPanel {
  /** @type {Thread | null} */ #thread = null;
  /** @type {AbortController | null} */ #opening = null;
  #id = '';
  #chat = '';
  #older = false;
  #headRow = {};

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
    this.element = h('section.panel-body', { 'aria-label': 'Thread' },
      h('header.bar', null, iconButton('back', 'Back to the chat', { class: 'back', onclick: () => app.closePanel() }),
        h('div.names', null, h('h2', null, 'Thread'), this.where), h('span.gap'),
        iconButton('close', 'Close thread', { class: 'shut', onclick: () => app.closePanel() })),
      this.instead, this.list.element, this.foot);
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
    this.#opening = new AbortController();
    this.instead.hidden = false;
    this.list.element.hidden = true;
    fill(this.instead, h('span.spinner'));
    try {
      const thread = await this.app.store.openThread(id, chat, { signal: this.#opening.signal });
      if (this.#id !== id) return thread.close();
      this.#thread = thread;
      this.instead.hidden = true;
      this.list.element.hidden = false;
      this.draw();
      this.list.list.toEnd();
    } catch (error) {
      if (this.#id !== id || /** @type {any} */ (error)?.name === 'AbortError') return;
      fill(this.instead, h('div.nothing', null, h('strong', null, 'This thread cannot be shown'), h('span', null, explain(error)),
        h('button.button', { type: 'button', onclick: () => void this.#open() }, 'Try again')));
    }
  }

  close() {
    this.#opening?.abort();
    this.#thread?.close();
    this.#thread = null;
    this.#id = '';
    this.#older = false;
  }

  /** @param {import('/client/index.js').Changes} changes @param {boolean} renamed */
  changed(changes, renamed) {
    if (!this.#thread) return;
    if (renamed) this.list.redraw();
    if (changes.threads.has(this.#id) || renamed || changes.chats.has(this.#chat)) this.draw();
  }

  draw() {
    const thread = this.#thread;
    if (!thread) return;
    const view = this.app.store.chats.get(this.#chat);
    say(this.where, view ? chatName(this.app.store, view) : '');
    this.foot.hidden = !view || Boolean(view.chat.tm_delete);
    const rows = thread.root ? [thread.root, ...thread.rows] : [...thread.rows];
    const items = itemsOf(rows, { thread: true, unreadAfter: Infinity, version: this.list.version, me: '', root: this.#id });
    if (!thread.reachesBeginning) this.#headRow = { older: this.#older };
    this.list.list.setItems(thread.reachesBeginning ? items
      : [...items.slice(0, thread.root ? 1 : 0), { key: 'head', row: this.#headRow, flags: 0, guess: 50 }, ...items.slice(thread.root ? 1 : 0)]);
    this.list.setNews(0);
  }

  #drawHead() {
    return listHead({ state: 'more', again: () => this.#moved() });
  }

  #moved() {
    const thread = this.#thread;
    if (!thread || thread.reachesBeginning || this.#older || this.list.scroller.scrollTop > 600) return;
    this.#older = true;
    thread.loadOlder().catch((error) => announce(explain(error))).finally(() => { this.#older = false; this.draw(); });
  }

  redraw() {
    this.list.redraw();
    this.draw();
  }
}
