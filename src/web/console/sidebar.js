// The list of chats: newest first, each with its face, its last message, its time and how much of
// it is unread. Promises to stay quick with hundreds of chats: a row is drawn again only when it
// changed, and what is not known of a chat is asked for when its row comes into view.
// @ts-check
import { arrange, fill, h, icon, iconButton, say } from './dom.js';
import { openMenu } from './dialogs.js';
import { browseChannels } from './channels.js';
import { newChat } from './newchat.js';
import { chatAvatar, chatName, gistOf, kindName, nameOf, otherOf } from './people.js';
import { addressOf } from './route.js';
import { StatusMenu } from './status.js';
import { openSwitcher } from './switcher.js';
import { matches } from './text.js';
import { instant, shortTime, wholeTime } from './times.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').ChatView} ChatView */

const FILTERS = { all: 'All', unread: 'Unread', talk: 'Channels', people: 'People' };

export class Sidebar {
  /** @type {Map<string, HTMLAnchorElement>} */ #rows = new Map();
  /** @type {keyof typeof FILTERS} */ #only = 'all';
  /** Chats in the order of the list. @type {ChatView[]} */ order = [];

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.own = new StatusMenu(app);
    const make = iconButton('compose', 'New chat', { 'aria-haspopup': 'menu', onclick: () => openMenu(make, 'New chat', [
      { label: 'Direct chat', icon: 'person', act: () => newChat(app, 'direct') },
      { label: 'Group', icon: 'people', act: () => newChat(app, 'group') },
      { label: 'Public channel', icon: 'hash', act: () => newChat(app, 'talk') },
      null,
      { label: 'Browse channels', icon: 'search', act: () => browseChannels(app) },
    ]) });
    this.finder = h('button.finder', { type: 'button', onclick: () => openSwitcher(app, this.order) }, icon('search'), h('span', null, 'Find'), h('kbd', null, isMac ? '⌘K' : 'Ctrl K'));
    this.filters = h('div.filters', { role: 'group', 'aria-label': 'Show' });
    this.list = h('ul.chats', { 'aria-label': 'Chats' });
    this.empty = h('div', { hidden: true });
    this.scroller = h('div.scrolls.chats-scroll', { tabindex: '-1' }, this.list, this.empty);
    this.element = h('nav.sidebar', { 'aria-label': 'Chats' },
      h('header.bar', null, h('strong.hub.cut', { dir: 'auto' }, app.hubName || 'Talk'), h('span.gap'),
        iconButton('hash', 'Browse channels', { onclick: () => browseChannels(app) }), make),
      h('div.side-tools', null, this.finder, this.filters), this.scroller, this.own.element);
    this.#drawFilters();
    this.near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) this.#look(/** @type {HTMLElement} */ (target).dataset.chat ?? '');
    }, { root: this.scroller, rootMargin: '200px' });
    this.list.addEventListener('keydown', (event) => this.#pressed(event));
    app.drafts.subscribe((place) => this.#drawRow(place.split('/')[0]));
  }

  #drawFilters() {
    fill(this.filters, Object.entries(FILTERS).map(([key, name]) => h('button', {
      type: 'button', 'aria-pressed': String(key === this.#only),
      onclick: () => { this.#only = /** @type {keyof typeof FILTERS} */ (key); this.#drawFilters(); this.draw(); },
    }, name)));
  }

  /** @param {string} id */
  #look(id) {
    const view = this.app.store.chats.get(id);
    if (view && !view.ready) this.app.need(id);
  }

  /** @param {import('/client/index.js').Changes} changes */
  changed(changes) {
    if (changes.me || changes.agents.has(this.app.store.me?.id ?? '')) this.own.draw();
    if (changes.list) return this.draw();
    if (changes.agents.size > 0) for (const id of this.#rows.keys()) if (this.#shows(id, changes.agents)) this.#drawRow(id);
    let moved = this.#only === 'unread';
    for (const [id, change] of changes.chats) {
      if (!change.facts && !change.members && !change.unread && !change.reset) continue;
      this.#drawRow(id);
      moved = true;
    }
    if (moved) this.#sort();
  }

  /** Whether the row of a chat shows one of these people. @param {string} chat @param {ReadonlySet<string>} agents */
  #shows(chat, agents) {
    const view = this.app.store.chats.get(chat);
    if (!view) return false;
    const other = otherOf(this.app.store, view);
    return agents.has(other) || agents.has(view.newest?.message.owner_id ?? '') || (!other && !view.chat.name.trim());
  }

  /** Draws all of it. */
  draw() {
    const { chats } = this.app.store;
    for (const [id, row] of this.#rows) if (!chats.has(id)) { this.near.unobserve(row); this.#rows.delete(id); }
    for (const id of chats.keys()) this.#drawRow(id);
    this.#sort();
  }

  /** The time by which a chat stands in the list. @param {ChatView} view */
  #at(view) {
    return view.newest && view.newest.message.tm_create > view.chat.tm_create ? view.newest.message.tm_create : view.chat.tm_create;
  }

  #sort() {
    const all = [...this.app.store.chats.values()].filter(({ chat }) => !chat.tm_delete || chat.id === this.app.place().chat);
    const at = new Map(all.map((view) => [view, this.#at(view)]));
    all.sort((a, b) => (/** @type {string} */ (at.get(a)) < /** @type {string} */ (at.get(b)) ? 1 : -1));
    this.order = all;
    // One that came a moment ago may not have been drawn yet.
    for (const { id } of all) if (!this.#rows.has(id)) this.#drawRow(id);
    const open = this.app.place().chat;
    const only = this.#only;
    const shown = only === 'all' ? all : all.filter((view) => view.id === open && only === 'unread' || (only === 'unread' ? view.unread > 0
      : only === 'people' ? view.chat.type !== 'talk' : view.chat.type === 'talk'));
    arrange(this.list, shown.map(({ id }) => /** @type {HTMLElement} */ (this.#rows.get(id)?.parentElement)));
    if (!shown.some(({ id }) => id === open)) {
      const first = this.#rows.get(shown[0]?.id ?? '');
      if (first) first.tabIndex = 0;
    }
    this.empty.hidden = shown.length > 0;
    if (shown.length === 0) fill(this.empty, this.#nothing(all.length === 0));
  }

  /** @param {boolean} none */
  #nothing(none) {
    if (!none) return h('p.note.empty', null, this.#only === 'unread' ? 'You have read everything.' : 'No chats of this kind yet.');
    return h('div.nothing', null, icon('bubble'), h('strong', null, 'No chats yet'), h('span', null, 'Write to a colleague, or join a channel.'),
      h('button.button.main', { type: 'button', onclick: () => newChat(this.app, 'direct') }, 'Write to somebody'),
      h('button.button.plain', { type: 'button', onclick: () => browseChannels(this.app) }, 'Browse channels'));
  }

  /** @param {string} id */
  #drawRow(id) {
    const view = this.app.store.chats.get(id);
    if (!view) return;
    let row = this.#rows.get(id);
    if (!row) {
      row = h('a.chat-row', { href: addressOf({ chat: id }), 'data-chat': id });
      h('li', null, row);
      this.#rows.set(id, row);
      this.near.observe(row);
    }
    const { store, drafts } = this.app;
    const name = chatName(store, view);
    const open = this.app.place().chat === id;
    const draft = open ? '' : drafts.of(id);
    const last = view.newest?.message;
    const at = instant(last?.tm_create);
    const count = view.unread > 0 ? `${view.unread > 99 ? '99' : view.unread}${view.unreadMore || view.unread > 99 ? '+' : ''}` : '';
    // One stop for the tab key, however many chats; the arrows go on from there.
    row.tabIndex = open ? 0 : -1;
    if (open) row.setAttribute('aria-current', 'page');
    else row.removeAttribute('aria-current');
    row.classList.toggle('unread', count !== '');
    const failed = view.newest?.state === 'failed';
    fill(row, chatAvatar(store, view, 34),
      h('span.chat-name.cut', null, h('bdi', null, name)),
      at > 0 && h('time', { title: wholeTime(at) }, shortTime(at)),
      h('span.chat-last.cut', null, draft ? [h('em', null, 'Draft: '), h('bdi', null, draft.slice(0, 120))]
        : failed ? h('em.wrong', null, 'Not sent') : last ? this.#last(view, last) : ''),
      count && h('span.badge', null, h('span.heard', null, ', '), count, h('span.heard', null, ' unread')),
      h('span.heard', null, `, ${kindName(view.chat.type)}`));
  }

  /** @param {ChatView} view @param {import('/client/index.js').Message} message */
  #last(view, message) {
    const { store } = this.app;
    if (message.type === 'system') return h('bdi', null, message.text);
    const who = message.owner_id === store.me?.id ? 'You' : view.chat.type === 'direct' ? '' : nameOf(store, message.owner_id).split(' ')[0];
    return [who && h('span', null, h('bdi', null, who), ': '), h('bdi', { class: message.tm_delete ? 'gone' : '' }, gistOf(message))];
  }

  /** The open chat is another. @param {string} before */
  openChanged(before) {
    this.#drawRow(before);
    const { chat } = this.app.place();
    this.#drawRow(chat);
    if (this.#only === 'unread') this.#sort();
    if (!chat) this.#sort();
    this.#rows.get(chat)?.scrollIntoView({ block: 'nearest' });
  }

  /** The chat before or after the open one, or the next unread one. @param {number} by @param {boolean} [unread] */
  neighbour(by, unread = false) {
    const shown = [...this.list.children].map((item) => /** @type {HTMLElement} */ (item.firstElementChild).dataset.chat ?? '');
    const at = shown.indexOf(this.app.place().chat);
    for (let place = at < 0 ? (by > 0 ? 0 : shown.length - 1) : at + by; place >= 0 && place < shown.length; place += by) {
      if (!unread || (this.app.store.chats.get(shown[place])?.unread ?? 0) > 0) return shown[place];
    }
    return '';
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const links = /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll('a')]);
    const at = links.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    links[to]?.focus();
  }

  focus() {
    const row = this.#rows.get(this.app.place().chat);
    if (row?.isConnected) row.focus();
    else this.list.querySelector('a')?.focus();
  }

  /** How many chats and messages are unread. */
  unread() {
    let [messages, more] = [0, false];
    for (const view of this.app.store.chats.values()) {
      messages += view.unread;
      more ||= view.unreadMore && view.unread > 0;
    }
    return { messages, more };
  }

  /** Another day began, or the filter must be looked at again. */
  redraw() { this.draw(); }

  /** Whether a chat is found by what was typed. @param {ChatView} view @param {string} typed */
  fits(view, typed) { return matches(typed, chatName(this.app.store, view)); }
}

const isMac = /mac|iphone|ipad/i.test(navigator.userAgent);
