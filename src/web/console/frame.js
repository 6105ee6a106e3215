// The console of somebody who signed in: its panes, what is open in them, and who hears what
// changed. Everything that lives as long as the sign-in is made here and ended here.
// @ts-check
import { fill, h } from './dom.js';
import { ChatPane } from './chat.js';
import { Banner } from './connection.js';
import { openDialog } from './dialogs.js';
import { Drafts } from './drafts.js';
import { listenToKeys } from './keys.js';
import { MembersPanel } from './members.js';
import { failed } from './notices.js';
import { Notifier } from './notify.js';
import { chatName, nameOf } from './people.js';
import { afterPress } from './press.js';
import { goTo, readPlace } from './route.js';
import { Sidebar } from './sidebar.js';
import { openSwitcher } from './switcher.js';
import { ThreadPanel } from './thread.js';
import { eachDay } from './times.js';
import { Unsettled } from './unsettled.js';

/** @typedef {import('./app.js').App} App */

/** Chats in view that are loaded at once. */
const LOADS_MAX = 3;
/** A field that gets the focus there brings up a keyboard over half of the window. */
const coarse = matchMedia('(pointer: coarse)');
/** Chats in view that wait to be loaded; the last ones are what is seen. */
const NEEDED_MAX = 60;

export class Frame {
  #place = readPlace();
  /** @type {string[]} */ #needed = [];
  /** @type {Set<string>} */ #loading = new Set();
  /** @type {(() => void)[]} */ #ends = [];
  #life = new AbortController();
  #afterPress = afterPress(this.#life.signal);
  /** @type {Map<string, string>} */ #names = new Map();

  /**
   * @param {import('/client/index.js').Talk} talk
   * @param {{ hubName: string, signOut: () => void }} parts
   */
  constructor(talk, { hubName, signOut }) {
    this.talk = talk;
    /** @type {App} */
    this.app = {
      talk, store: talk.store, calls: talk.calls, hubName, signOut, dialog: openDialog,
      drafts: new Drafts(talk.me?.id ?? '', this.#life.signal),
      signal: this.#life.signal,
      // Who comes next is not told of it.
      failed: (error) => { if (!this.#life.signal.aborted) failed(error); },
      place: () => this.#place,
      openChat: (chat, how) => this.#openChat(chat, how),
      openThread: (chat, message) => goTo({ chat, panel: 'thread', message }),
      toggleMembers: (chat) => goTo({ chat, panel: this.#place.panel === 'members' ? '' : 'members' }),
      closePanel: () => this.#closePanel(),
      showList: () => goTo({}),
      focusComposer: () => { if (!coarse.matches) this.chat.composer.focus(); },
      lastReply: (chat, message) => (chat === this.chat.id ? this.chat.lastReply(message) : null),
      need: (chat) => this.#need(chat),
    };
    this.unsettled = new Unsettled(this.app);
    const banner = new Banner(talk.live);
    this.chat = new ChatPane(this.app, { banner: banner.element });
    this.thread = new ThreadPanel(this.app);
    this.members = new MembersPanel(this.app);
    this.sidebar = new Sidebar(this.app);
    this.panel = h('aside.panel', { 'aria-label': 'Details', hidden: true });
    this.notifier = new Notifier(this.app);
    const skip = h('a.skip', { href: '#', onclick: (/** @type {Event} */ event) => { event.preventDefault(); this.chat.composer.focus(); } }, 'To the message field');
    this.sidebar.element.prepend(skip);
    this.element = h('div.frame', null, this.sidebar.element, this.chat.element, this.panel);
    this.#ends.push(() => banner.close(), talk.store.subscribe((changes) => this.#changed(changes)), this.#keys());
    addEventListener('beforeunload', (event) => { if (this.unsettled.all().length > 0) event.preventDefault(); }, { signal: this.#life.signal });
    addEventListener('pagehide', ({ persisted }) => { if (!persisted) this.unsettled.keepAll(); }, { signal: this.#life.signal });
    addEventListener('hashchange', () => this.#moved(), { signal: this.#life.signal });
    eachDay(() => { this.sidebar.redraw(); this.chat.redraw(); this.thread.redraw(); }, this.#life.signal);
  }

  /** Draws everything for the first time; it must be in the page by now. */
  begin() {
    this.sidebar.draw();
    this.#renamed(new Set(this.app.store.agents.keys()));
    this.notifier.begin();
    const wide = matchMedia('(min-width: 720px)').matches;
    if (!this.#place.chat && wide && this.sidebar.order[0]) goTo({ chat: this.sidebar.order[0].id }, { instead: true });
    this.#show('');
    this.#title();
    if (this.#place.chat && wide) this.chat.composer.focus();
  }

  close() {
    this.unsettled.keepAll();
    this.#life.abort();
    for (const end of this.#ends) end();
    this.thread.close();
    this.chat.list.close();
    this.thread.list.close();
  }

  /** @param {import('/client/index.js').Changes} changes */
  #changed(changes) {
    this.unsettled.changed(changes);
    this.notifier.changed(changes);
    this.#title();
    this.#afterPress(() => this.#redraw(changes));
  }

  /** @param {import('/client/index.js').Changes} changes */
  #redraw(changes) {
    const renamed = this.#renamed(changes.agents);
    this.sidebar.changed(changes);
    this.chat.changed(changes, renamed);
    if (this.#place.panel === 'thread') this.thread.changed(changes, renamed);
    if (this.#place.panel === 'members') this.members.changed(changes);
  }

  /** Whether one of these people has another name than before. @param {ReadonlySet<string>} ids */
  #renamed(ids) {
    let renamed = false;
    for (const id of ids) {
      const name = nameOf(this.app.store, id);
      renamed ||= this.#names.get(id) !== name;
      this.#names.set(id, name);
    }
    return renamed;
  }

  #title() {
    const view = this.chat.view;
    this.notifier.title(this.sidebar.unread(), view ? chatName(this.app.store, view) : '');
  }

  #moved() {
    const before = this.#place;
    this.#place = readPlace();
    this.#show(before.chat);
    const { chat, panel } = this.#place;
    if (chat && !panel && (before.panel || before.chat !== chat)) this.app.focusComposer();
    this.#title();
  }

  /** @param {string} before */
  #show(before) {
    const { chat, panel, message } = this.#place;
    this.element.dataset.pane = panel ? 'panel' : chat ? 'chat' : 'list';
    this.chat.show(chat);
    if (before !== chat) this.sidebar.openChanged(before);
    const shown = panel === 'thread' ? this.thread.element : panel === 'members' ? this.members.element : null;
    this.panel.hidden = !shown;
    if (shown?.parentElement !== this.panel || !shown) fill(this.panel, shown);
    if (panel === 'thread') {
      this.panel.setAttribute('aria-label', 'Thread');
      this.thread.show(chat, message);
      if (!coarse.matches) this.thread.composer.focus();
    } else {
      this.thread.close();
    }
    if (panel === 'members') {
      this.panel.setAttribute('aria-label', 'Members');
      this.members.show(chat);
    }
    this.chat.draw();
  }

  /** @param {string} chat @param {{ instead?: boolean }} [how] */
  #openChat(chat, how) {
    goTo({ chat }, how);
  }

  #closePanel() {
    if (this.#place.panel) goTo({ chat: this.#place.chat });
    else this.chat.composer.focus();
  }

  /** @param {string} chat */
  #need(chat) {
    if (this.#loading.has(chat) || this.#needed.includes(chat)) return;
    this.#needed.push(chat);
    if (this.#needed.length > NEEDED_MAX) this.#needed.shift();
    this.#load();
  }

  #load() {
    while (this.#loading.size < LOADS_MAX) {
      const chat = this.#needed.pop();
      if (!chat) return;
      if (!this.app.store.chats.has(chat)) continue;
      this.#loading.add(chat);
      const { store } = this.app;
      // What failed is asked for again when it comes into view.
      store.open(chat).then(() => store.close(chat), () => {}).finally(() => {
        this.#loading.delete(chat);
        this.#load();
      });
    }
  }

  #keys() {
    return listenToKeys({
      find: () => openSwitcher(this.app, this.sidebar.order),
      step: (by, unread) => {
        const next = this.sidebar.neighbour(by, unread);
        if (next) { this.app.openChat(next); this.chat.composer.focus(); }
      },
      search: () => { if (this.chat.view) this.chat.search.open(); },
      members: () => { if (this.chat.view) this.app.toggleMembers(this.#place.chat); },
      part: (by) => this.#part(by),
      escape: () => this.#closePanel(),
    });
  }

  /** To the next part of the page: chats, messages, writing, panel. @param {number} by */
  #part(by) {
    const open = this.#place.panel;
    /** @type {[HTMLElement, () => void][]} */
    const parts = [
      [this.sidebar.element, () => this.sidebar.focus()],
      [this.chat.list.element, () => this.chat.list.focusLast()],
      [this.chat.composer.element, () => this.chat.composer.focus()],
    ];
    if (open === 'thread') parts.push([this.thread.list.element, () => this.thread.list.focusLast()], [this.thread.composer.element, () => this.thread.composer.focus()]);
    if (open === 'members') parts.push([this.panel, () => this.panel.querySelector('button')?.focus()]);
    const at = parts.findIndex(([element]) => element.contains(document.activeElement));
    parts.at((at + by + parts.length) % parts.length)?.[1]();
  }
}
