// The pane of the open chat: its head, its messages, its composer, and what stands there instead
// when there is nothing to read. Marks as read what somebody really had in view.
// @ts-check
import { fill, h, icon, iconButton, say } from './dom.js';
import { Composer, takeDrops } from './composer.js';
import { chatMenu } from './details.js';
import { keptDraft } from './drafts.js';
import { announce, explain } from './notices.js';
import { STATUSES, chatAvatar, chatName, kindAvatar, kindName, otherOf, statusOf } from './people.js';
import { Search } from './search.js';
import { counted } from './text.js';
import { dayName, instant } from './times.js';
import { MessageList, itemsOf, listHead } from './timeline.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').ChatView} ChatView */

/** Pixels from the top at which older messages are asked for. */
const NEAR_TOP = 1500;

export class ChatPane {
  #id = '';
  /** Of the open chat, also when one is no longer in it. */ #type = '';
  /** Where what is unread began when the chat was opened. */ #unreadAfter = Infinity;
  /** @type {'more' | 'loading' | 'failed'} */ #older = 'more';
  /** What the head of the list shows; another object draws it again. */ #headRow = { state: '' };
  #placed = false;
  /** @type {Map<string, import('/client/index.js').Message>} */ #lastReplies = new Map();
  /** Gives back the chat that is held open. @type {(() => void) | null} */ #release = null;

  /** @param {App} app @param {{ banner: HTMLElement }} parts */
  constructor(app, { banner }) {
    this.app = app;
    this.face = h('span.face');
    this.title = h('bdi.cut');
    this.topic = h('span.topic.cut', { dir: 'auto' });
    this.count = h('span');
    this.members = h('button.button.plain.members-button', { type: 'button', title: 'Members', onclick: () => app.toggleMembers(this.#id) }, icon('people'), this.count);
    const more = iconButton('more', 'Chat menu', { 'aria-haspopup': 'menu', onclick: () => this.view && chatMenu(app, more, this.view) });
    this.head = h('header.bar.chat-head', null,
      iconButton('back', 'Back to the chats', { class: 'back', onclick: () => app.showList() }),
      this.face, h('div.names', null, h('h1.cut', { tabindex: '-1' }, this.title), this.topic), h('span.gap'),
      this.members, iconButton('search', 'Search in this chat', { onclick: () => this.search.open() }), more);
    this.list = new MessageList(app, {
      label: 'Messages', thread: false, row: (key) => app.store.row(this.#id, key), drawHead: () => this.#drawHead(),
      moved: () => this.#moved(), newest: () => this.toNewest(), back: () => this.composer.focus(),
    });
    this.composer = new Composer(app, {
      label: 'Message', sent: () => this.#sent(), up: () => this.list.focusLast(), leave: () => app.closePanel(),
    });
    this.search = new Search(app, this.list, { rows: () => this.view?.rows ?? [], older: () => this.loadOlder(), whole: () => this.view?.reachesBeginning ?? true, back: () => this.composer.focus() });
    this.foot = h('div.chat-foot', null, this.composer.element);
    this.instead = h('div.instead', { hidden: true });
    app.drafts.subscribe((place) => {
      if (place === this.#id && !this.view && this.instead.querySelector('.is-out')) this.#out();
    });
    this.element = h('main.chat', { 'aria-label': 'Chat' }, this.head, banner, this.search.element, this.list.element, this.instead, this.foot);
    takeDrops(this.element, () => (this.#writable() ? this.composer : null));
    const { signal } = app;
    addEventListener('focus', () => this.#moved(), { signal });
    addEventListener('blur', () => this.#left(), { signal });
    document.addEventListener('visibilitychange', () => this.#moved(), { signal });
  }

  get id() { return this.#id; }

  get view() { return this.app.store.chats.get(this.#id) ?? null; }

  /** @param {string} id */
  show(id) {
    if (id === this.#id) return;
    this.#release?.();
    this.#release = null;
    this.#id = id;
    this.#placed = false;
    this.#older = 'more';
    this.search.close();
    this.list.list.reset();
    fill(this.list.content);
    if (!id) return this.draw();
    const { view } = this;
    this.#beginUnread();
    this.draw();
    if (view) this.#open();
    else void this.#strange(id);
  }

  /** The chat came into the model after its address was opened. */
  #open() {
    const { view } = this;
    if (!view || this.#release) return;
    const { store } = this.app;
    if (this.#unreadAfter === Infinity) this.#beginUnread();
    const held = store.open(view.id).then(() => true, (error) => {
      if (this.#id === view.id && this.view && !this.view.ready) this.#cannot(error);
      return false;
    });
    this.#release = () => void held.then((is) => is && store.close(view.id));
    this.draw();
  }

  #beginUnread() {
    const { view } = this;
    this.#unreadAfter = view && view.unread > 0 ? view.readSeq : Infinity;
  }

  /** A chat that one is not in. @param {string} id */
  async #strange(id) {
    fill(this.instead, h('span.spinner'));
    try {
      const chat = await this.app.calls.getChat(id);
      if (this.#id !== id || this.view) return this.draw();
      if (chat.type !== 'talk' || chat.tm_delete) throw Object.assign(new Error(), { reason: 'PERMISSION_DENIED' });
      const join = h('button.button.main', { type: 'button', onclick: () => {
        join.disabled = true;
        this.app.store.join(id).then(() => this.composer.focus(), (error) => { join.disabled = false; this.app.failed(error); });
      } }, 'Join channel');
      fill(this.instead, h('div.nothing', null, icon('hash'), h('strong', { dir: 'auto' }, chat.name || 'Channel without a name'),
        h('span', { dir: 'auto' }, chat.detail || counted(chat.member_count, 'member')), join));
    } catch (error) {
      if (this.#id === id && !this.view) this.#cannot(error);
    }
  }

  /** @param {unknown} error */
  #cannot(error) {
    fill(this.instead, h('div.nothing', null, icon('warn'), h('strong', null, 'This chat cannot be shown'), h('span', null, explain(error)),
      h('button.button', { type: 'button', onclick: () => { const id = this.#id; this.#id = ''; this.show(id); } }, 'Try again')));
    this.instead.hidden = false;
  }

  #out() {
    fill(this.instead, h('div.nothing.is-out', { role: 'status' }, icon('leave'), h('strong', null, 'You are no longer in this chat'), h('span', null, 'Somebody who is in it can add you again.')),
      keptDraft(this.app.drafts.of(this.#id)));
  }

  #writable() { return Boolean(this.view && !this.view.chat.tm_delete); }

  /** What changed, and whether somebody has another name now. @param {import('/client/index.js').Changes} changes @param {boolean} renamed */
  changed(changes, renamed) {
    if (!this.#id) return;
    const { view } = this;
    if (view && !this.#release) this.#open();
    if (!view && this.#release) {
      this.#release = null;
      this.draw();
      // A channel can be joined again. Of another chat the hub would only say that it is none of ours.
      if (this.#type === 'talk') void this.#strange(this.#id);
      else this.#out();
      return;
    }
    const change = changes.chats.get(this.#id);
    if (renamed) this.list.redraw();
    if (changes.list || change?.facts || change?.members || changes.agents.size > 0) this.draw();
    else if (change && (change.rows.size > 0 || change.reset || change.unread)) this.drawRows();
  }

  /** Draws all of it. */
  draw() {
    const { view, app } = this;
    const empty = !this.#id;
    this.element.classList.toggle('is-empty', !view);
    this.instead.hidden = Boolean(view);
    this.list.element.hidden = !view;
    this.foot.hidden = !view;
    this.head.hidden = empty;
    if (empty) fill(this.instead, this.#welcome());
    if (!view) {
      fill(this.face, kindAvatar('talk', 28));
      say(this.title, '');
      say(this.topic, '');
      this.members.hidden = true;
      return;
    }
    this.#type = view.chat.type;
    this.#drawHeadBar(view);
    const name = chatName(app.store, view);
    this.list.setLabel(`Messages in ${name}`);
    if (view.chat.tm_delete) this.#close(view);
    else if (!this.composer.element.isConnected || this.composer.element.parentElement !== this.foot) fill(this.foot, this.composer.element);
    this.composer.show(view.id, '', `Message ${view.chat.type === 'talk' ? '#' : ''}${name}`);
    this.drawRows();
  }

  /** Nobody writes in a deleted chat; who was just doing so is told, and keeps the text in sight. @param {ChatView} view */
  #close(view) {
    if (this.foot.dataset.closed === view.id && this.foot.querySelector('.closed')) return;
    const wrote = this.foot.contains(document.activeElement);
    this.foot.dataset.closed = view.id;
    fill(this.foot, h('p.closed', { role: 'status' }, 'This chat was deleted. It can still be read.'), keptDraft(this.app.drafts.of(view.id)));
    if (wrote) this.head.querySelector('h1')?.focus();
  }

  /** @param {ChatView} view */
  #drawHeadBar(view) {
    const { store } = this.app;
    const other = otherOf(store, view);
    fill(this.face, chatAvatar(store, view, 28));
    say(this.title, chatName(store, view));
    say(this.topic, other ? [STATUSES[statusOf(store, other)], store.agents.get(other)?.detail].filter(Boolean).join(' · ')
      : view.chat.detail || kindName(view.chat.type));
    this.topic.title = this.topic.textContent ?? '';
    this.members.hidden = false;
    say(this.count, String(view.chat.member_count));
    this.members.setAttribute('aria-label', counted(view.chat.member_count, 'member'));
    this.members.setAttribute('aria-pressed', String(this.app.place().panel === 'members'));
  }

  #welcome() {
    return h('div.nothing', null, icon('bubble'), h('strong', null, 'Pick a chat'),
      h('span', null, 'Choose one on the left, or press ', h('kbd', null, 'Ctrl'), ' ', h('kbd', null, 'K'), ' to find people and chats.'));
  }

  drawRows() {
    const { view, app } = this;
    if (!view) return;
    const { rows } = view;
    if (!view.ready && rows.length === 0) {
      this.list.element.setAttribute('aria-busy', 'true');
      if (!this.list.content.querySelector('.skeleton')) fill(this.list.content, skeleton());
      return;
    }
    if (this.list.element.hasAttribute('aria-busy')) {
      this.list.element.removeAttribute('aria-busy');
      fill(this.list.content);
    }
    if (this.#unreadAfter === Infinity && (document.hidden || !document.hasFocus()) && view.unread > 0) this.#unreadAfter = view.readSeq;
    this.#keepLastReplies(rows);
    const items = itemsOf(rows, { thread: false, unreadAfter: this.#unreadAfter, version: this.list.version, me: app.store.me?.id ?? '' });
    const state = view.reachesBeginning ? `beginning ${chatName(app.store, view)}` : this.#older;
    if (this.#headRow.state !== state) this.#headRow = { state };
    this.list.list.setItems([{ key: 'head', row: this.#headRow, flags: 0, guess: view.reachesBeginning ? 150 : 60 }, ...items]);
    if (!this.#placed && view.ready) this.#place(items);
    this.#news();
    this.search.refresh();
  }

  /** The first look at a chat: at what is unread, otherwise at the end. @param {ReturnType<typeof itemsOf>} items */
  #place(items) {
    this.#placed = true;
    if (this.#unreadAfter === Infinity && (this.view?.unread ?? 0) > 0) this.#beginUnread();
    const first = this.view?.rows.find(({ message }) => message.seq > this.#unreadAfter && message.owner_id !== this.app.store.me?.id);
    if (first && items.length > 8) {
      this.list.list.reveal(first.key, 0.25);
    } else {
      this.list.list.toEnd();
    }
    requestAnimationFrame(() => this.#moved());
  }

  /** @param {ChatView['rows']} rows */
  #keepLastReplies(rows) {
    this.#lastReplies.clear();
    for (const { message } of rows) if (message.parent_id && !message.tm_delete) this.#lastReplies.set(message.parent_id, message);
  }

  /** @param {string} id */
  lastReply(id) { return this.#lastReplies.get(id) ?? null; }

  #drawHead() {
    const { view } = this;
    if (!view) return h('div');
    const state = view.reachesBeginning ? 'beginning' : this.#older;
    return listHead({ state, again: () => this.loadOlder(), about: this.#about(view) });
  }

  /** @param {ChatView} view */
  #about(view) {
    const { store } = this.app;
    const name = chatName(store, view);
    const begun = dayName(instant(view.chat.tm_create)).toLocaleLowerCase();
    return h('div.about-chat', null, chatAvatar(store, view, 44), h('h2', { dir: 'auto' }, name),
      h('p', null, view.chat.type === 'direct' ? `This is the beginning of your chat with ${name}.`
        : `This is the beginning of this ${view.chat.type === 'talk' ? 'channel, which everybody can join' : 'group'}. It was made ${/\d/.test(begun) ? 'on ' : ''}${begun}.`),
      view.chat.detail && h('p', { dir: 'auto' }, view.chat.detail));
  }

  async loadOlder() {
    const { view } = this;
    if (!view?.ready || view.reachesBeginning || this.#older === 'loading') return 0;
    const id = view.id;
    this.#older = 'loading';
    try {
      const count = await this.app.store.loadOlder(id);
      if (this.#id === id) this.#older = 'more';
      return count;
    } catch {
      if (this.#id === id) this.#older = 'failed';
      return 0;
    } finally {
      if (this.#id === id) this.drawRows();
    }
  }

  #moved() {
    const { view } = this;
    if (!view?.ready || !this.#placed || this.element.offsetParent === null) return;
    if (this.list.scroller.scrollTop < NEAR_TOP && this.#older === 'more' && !view.reachesBeginning) void this.loadOlder();
    if (document.hidden || !document.hasFocus()) return;
    const { items } = this.list.list;
    for (let place = this.list.list.seen().last; place > 0; place -= 1) {
      const row = items[place].row;
      if (row.state !== 'sent') continue;
      // At the end everything was seen, also events that are no messages.
      if (this.list.list.atEnd) this.app.store.markRead(view.id);
      else if (row.message.seq > view.readSeq) this.app.store.markRead(view.id, row.message.seq);
      break;
    }
    this.#news();
  }

  /** What comes while nobody looks is unread, from here. */
  #left() {
    if (this.view && this.view.unread === 0) this.#unreadAfter = Infinity;
  }

  #news() {
    this.list.setNews(this.view?.unread ?? 0);
  }

  #sent() {
    this.#unreadAfter = Infinity;
    this.list.list.toEnd();
  }

  toNewest() {
    this.list.list.toEnd();
    if (this.view) this.app.store.markRead(this.view.id);
    announce('At the newest message');
  }

  /** Goes to a message, loading older ones until it is there. @param {string} messageId */
  reveal(messageId) {
    const row = this.app.store.row(this.#id, messageId);
    if (row) { this.list.list.reveal(row.key, 0.3); this.list.flash(row.key); }
    return Boolean(row);
  }

  /** Somebody has another name, or another day began. */
  redraw() {
    this.list.redraw();
    this.draw();
  }
}

function skeleton() {
  return h('div.skeleton', { 'aria-label': 'Loading messages', role: 'status' }, [72, 48, 60, 38, 66].map((width) => {
    const line = h('span.bone');
    line.style.width = `${width}%`;
    return h('div', null, h('span.bone.round'), h('div', null, h('span.bone.short'), line));
  }));
}
