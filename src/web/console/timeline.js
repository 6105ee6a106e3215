// The list of messages of a chat or of a thread: what stands where, the keys and buttons of each
// message, the way to the newest. Promises that however many messages are loaded, the page holds
// only those near the view (see `windowed.js`).
// @ts-check
import { fill, h, icon, iconButton, say } from './dom.js';
import { confirm, openMenu } from './dialogs.js';
import { DAY, FOLLOWS, ROOT, UNREAD, VERSION, drawMessage } from './message.js';
import { notice } from './notices.js';
import { openPicker, recentEmoji } from './picker.js';
import { react } from './reactions.js';
import { addressOf } from './route.js';
import { counted } from './text.js';
import { dayName, dayOf, instant } from './times.js';
import { Windowed } from './windowed.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').Row} Row */
/** @typedef {import('./windowed.js').Item} Item */

/** Messages of one author within this time stand under one head. */
const TOGETHER_MS = 5 * 60_000;

/**
 * What stands where.
 * @param {readonly Row[]} rows
 * @param {{ thread: boolean, unreadAfter: number, version: number, me: string, root?: string }} how
 * @returns {Item[]}
 */
export function itemsOf(rows, { thread, unreadAfter, version, me, root }) {
  /** @type {Item[]} */
  const items = [];
  /** @type {Row | null} */
  let before = null;
  let [day, seenAt, line] = [-1, 0, false];
  let top = '';
  for (const [place, row] of rows.entries()) {
    const { message } = row;
    // Replies are told in one line, and not at all right below what they reply to, which counts them.
    if (message.parent_id && !thread) {
      if (message.parent_id === top || rows[place + 1]?.message.parent_id === message.parent_id) continue;
    } else {
      top = message.id;
    }
    const at = instant(message.tm_create) || Date.now();
    const its = dayOf(at);
    let flags = version * VERSION;
    if (its !== day) flags |= DAY;
    if (!line && message.seq > unreadAfter && message.owner_id !== me && message.type !== 'system' && row.state === 'sent') {
      line = true;
      flags |= UNREAD;
    }
    if (message.id === root) flags |= ROOT;
    const together = before && !(flags & (DAY | UNREAD)) && before.message.owner_id === message.owner_id
      && stands(before, thread) && stands(row, thread) && at - seenAt < TOGETHER_MS && before.message.id !== root;
    if (together) flags |= FOLLOWS;
    items.push({ key: row.key, row, flags, guess: guess(message, flags, thread) });
    [before, day, seenAt] = [row, its, at];
  }
  return items;
}

/** Whether it stands as a whole message, not as a line. @param {Row} row @param {boolean} thread */
function stands({ message }, thread) {
  return message.type !== 'system' && (thread || !message.parent_id);
}

/** @param {import('/client/index.js').Message} message @param {number} flags @param {boolean} thread */
function guess(message, flags, thread) {
  let height = flags & DAY ? 44 : 0;
  if (message.type === 'system' || (message.parent_id && !thread)) return height + 26;
  height += flags & FOLLOWS ? 24 : 50;
  height += Math.floor(message.text.length / 90) * 20 + message.medias.length * 60;
  if (message.metadata.reactions.length > 0) height += 30;
  return height + (message.reply_count ? 32 : 0);
}

export class MessageList {
  /** The row that the arrow keys go on from. */ #active = '';
  #searched = '';
  #version = 0;
  /** @type {HTMLElement | null} */ #tooled = null;
  /** @type {HTMLElement | null} */ #tools = null;

  /**
   * @param {App} app
   * @param {{ label: string, thread: boolean, row: (key: string) => Row | null, drawHead?: (item: Item) => HTMLElement,
   *   moved: () => void, newest: () => void, back: () => void }} parts `back` is called to leave the list by key.
   */
  constructor(app, parts) {
    this.app = app;
    this.parts = parts;
    this.content = h('div.list-content');
    this.scroller = h('div.scroller.scrolls', { role: 'log', 'aria-live': 'off', 'aria-label': parts.label, tabindex: '0' }, this.content);
    this.jumpText = h('span');
    this.jump = h('button.jump', { type: 'button', hidden: true, onclick: () => parts.newest() }, icon('down'), this.jumpText);
    this.day = h('div.day.afloat', { 'aria-hidden': 'true', hidden: true }, h('span'));
    this.element = h('div.list', null, this.day, this.scroller, this.jump);
    this.list = new Windowed({
      scroller: this.scroller,
      content: this.content,
      draw: (item) => (item.key === 'head' && parts.drawHead ? parts.drawHead(item)
        : drawMessage(app, item.row, item.flags, { thread: parts.thread, searched: this.#searched })),
      moved: () => this.#moved(),
    });
    this.#listen();
  }

  close() {
    this.list.close();
  }

  get version() { return this.#version; }

  /** Everything is drawn again, for instance since somebody has another name. */
  redraw() { this.#version = (this.#version + 1) % 1_000_000; }

  /** @param {string} searched */
  mark(searched) {
    if (searched === this.#searched) return;
    this.#searched = searched;
    this.redraw();
  }

  /** @param {string} label */
  setLabel(label) {
    this.scroller.setAttribute('aria-label', label);
  }

  #moved() {
    // What hides must not take the focus with it.
    if (this.list.atEnd && document.activeElement === this.jump) this.scroller.focus({ preventScroll: true });
    this.jump.hidden = this.list.atEnd;
    const { first } = this.list.seen();
    const item = this.list.items[first];
    const message = item && item.key !== 'head' ? item.row.message : null;
    const top = message ? this.list.elementOf(item.key)?.getBoundingClientRect().top ?? 0 : 0;
    const afloat = Boolean(message) && !(item.flags & DAY && top >= this.scroller.getBoundingClientRect().top - 4) && !this.list.atEnd;
    this.day.hidden = !afloat;
    if (afloat && message) say(/** @type {Element} */ (this.day.firstElementChild), dayName(instant(message.tm_create) || Date.now()));
    this.parts.moved();
  }

  /** @param {number} count */
  setNews(count) {
    say(this.jumpText, count > 0 ? counted(count, 'new message') : 'Jump to newest');
    this.jump.classList.toggle('has-news', count > 0);
  }

  #listen() {
    this.content.addEventListener('pointerover', (event) => {
      if (event.pointerType === 'touch') return;
      const shown = this.#articleOf(event.target);
      if (shown) this.#tool(shown);
    });
    this.content.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch' && !this.#tooled?.contains(document.activeElement)) this.#untool();
    });
    this.content.addEventListener('focusin', (event) => {
      const shown = this.#articleOf(event.target);
      if (!shown) return;
      this.#active = shown.dataset.row ?? '';
      this.#tool(shown);
      for (const one of shown.querySelectorAll('[tabindex="-1"]')) one.setAttribute('tabindex', '0');
    });
    this.content.addEventListener('focusout', (event) => {
      const [shown, next] = [this.#articleOf(event.target), /** @type {Node | null} */ (event.relatedTarget)];
      if (!shown || shown.contains(next)) return;
      for (const one of shown.querySelectorAll('[tabindex="0"]')) one.setAttribute('tabindex', '-1');
      if (next) this.#untool();
    });
    this.content.addEventListener('click', (event) => this.#clicked(event));
    this.scroller.addEventListener('keydown', (event) => this.#pressed(event));
  }

  /** @param {EventTarget | null} target @returns {HTMLElement | null} */
  #articleOf(target) {
    return target instanceof Element ? target.closest('[data-row]') : null;
  }

  /** @param {HTMLElement} shown */
  #rowOf(shown) {
    return this.parts.row(shown.dataset.row ?? '');
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const pressed = event.target instanceof Element ? event.target.closest('[data-act]') : null;
    const shown = this.#articleOf(event.target);
    const row = shown && this.#rowOf(shown);
    if (!pressed || !row) return;
    const act = pressed.getAttribute('data-act');
    if (act === 'thread') this.#openThread(row);
    if (act === 'retry') this.app.store.retry(row.message.chat_id, row.key).settled.catch(() => {});
    if (act === 'discard') this.app.store.discard(row.message.chat_id, row.key);
  }

  /** @param {Row} row */
  #openThread({ message }) {
    if (message.id && message.type !== 'system') this.app.openThread(message.chat_id, message.parent_id || message.id);
  }

  /** The buttons of a message, made when somebody comes near. @param {HTMLElement} shown */
  #tool(shown) {
    if (this.#tooled === shown && this.#tools?.isConnected) return;
    this.#untool();
    const row = this.#rowOf(shown);
    if (!row || row.state !== 'sent' || row.message.type === 'system' || row.message.tm_delete || shown.classList.contains('reply-line')) return;
    const quick = recentEmoji().slice(0, 2).map((emoji) => h('button.icon-button.quick', {
      type: 'button', 'aria-label': `React with ${emoji}`, title: `React with ${emoji}`, onclick: () => react(this.app, row, emoji),
    }, emoji));
    const smile = iconButton('smile', 'Add a reaction', { 'aria-haspopup': 'dialog', onclick: () => this.#pick(smile, row) });
    const more = iconButton('more', 'More actions', { 'aria-haspopup': 'menu', onclick: () => this.#more(more, row) });
    this.#tools = h('div.tools', { role: 'toolbar', 'aria-label': 'Message actions' }, quick, smile,
      !this.parts.thread && iconButton('reply', 'Reply in thread', { onclick: () => this.#openThread(row) }), more);
    this.#tooled = shown;
    shown.append(this.#tools);
  }

  #untool() {
    if (this.#tools?.querySelector('[aria-expanded="true"]')) return;
    this.#tools?.remove();
    this.#tooled = null;
  }

  /** @param {HTMLElement} anchor @param {Row} row */
  #pick(anchor, row) {
    openPicker(anchor, (emoji) => react(this.app, row, emoji, true));
  }

  /** @param {HTMLElement} anchor @param {Row} row */
  #more(anchor, row) {
    const { message } = row;
    const copy = (/** @type {string} */ text, /** @type {string} */ said) => {
      navigator.clipboard?.writeText(text).then(() => notice(said), () => notice('The browser did not allow to copy.', { wrong: true }));
    };
    openMenu(anchor, 'Message', [
      message.text ? { label: 'Copy text', icon: 'copy', act: () => copy(message.text, 'Text copied') } : null,
      {
        label: 'Copy link', icon: 'link',
        act: () => copy(new URL(addressOf({ chat: message.chat_id, panel: 'thread', message: message.parent_id || message.id }), location.href).href, 'Link copied'),
      },
      message.owner_id === this.app.store.me?.id ? { label: 'Delete message', icon: 'trash', danger: true, act: () => this.#remove(row) } : null,
    ].filter((choice) => choice !== null));
  }

  /** @param {Row} row */
  async #remove({ key, message }) {
    const sure = await confirm({
      title: 'Delete this message?', text: 'Its text, files and reactions are gone for everybody. Replies stay.', act: 'Delete',
    });
    if (!sure) return;
    this.app.store.remove(message.chat_id, message.id).catch(this.app.failed);
    this.focusRow(key);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = this.#articleOf(event.target);
    if (event.target !== this.scroller && event.target !== shown) {
      // Inside a message: only the way out of it.
      if (event.key === 'Escape' && shown) { event.stopPropagation(); shown.focus(); }
      return;
    }
    const row = shown && this.#rowOf(shown);
    const done = this.#act(event.key, shown, row);
    if (done) { event.preventDefault(); event.stopPropagation(); }
  }

  /** @param {string} key @param {HTMLElement | null} shown @param {Row | null} row */
  #act(key, shown, row) {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / 60));
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, k: -1, j: 1 }[key];
    if (step !== undefined) return this.#step(step, Boolean(shown));
    if (key === 'Home') return this.#step(-Infinity, true);
    if (key === 'End') { this.parts.newest(); this.focusLast(); return true; }
    if (key === 'Escape') { this.parts.back(); return true; }
    if (!row || !shown || !row.message.id || row.message.type === 'system') return false;
    if (key === 'r' || key === 'Enter' || key === 't') { this.parts.thread && key !== 'Enter' ? this.parts.back() : this.#openThread(row); return true; }
    if (row.message.tm_delete) return false;
    if (key === 'e' || key === '+') {
      this.#tool(shown);
      const smile = /** @type {HTMLElement | null} */ (this.#tools?.querySelector('[aria-haspopup="dialog"]'));
      if (smile) this.#pick(smile, row);
      return true;
    }
    if (key === 'Delete' && row.message.owner_id === this.app.store.me?.id) { void this.#remove(row); return true; }
    if (key === 'c' && row.message.text) { void navigator.clipboard?.writeText(row.message.text).then(() => notice('Text copied')); return true; }
    return false;
  }

  /** @param {number} by @param {boolean} from */
  #step(by, from) {
    const { items } = this.list;
    const last = items.length - 1;
    const first = items[0]?.key === 'head' ? 1 : 0;
    const known = this.list.placeOf(this.#active);
    const at = from && known >= 0 ? known : known >= 0 ? known - by : last + (by < 0 ? 1 : 0);
    const to = Math.max(first, Math.min(last, at + by));
    if (items[to]) this.focusRow(items[to].key);
    else if (by > 0) this.parts.back();
    return true;
  }

  /** @param {string} key */
  focusRow(key) {
    this.#active = key;
    this.list.reveal(key);
    /** @type {HTMLElement | null | undefined} */ (this.list.elementOf(key)?.querySelector('[data-row]'))?.focus({ preventScroll: true });
  }

  focusLast() {
    const last = this.list.items.at(-1);
    if (last && last.key !== 'head') this.focusRow(last.key);
    else this.scroller.focus();
  }

  /** Shows for a moment which row is meant. @param {string} key */
  flash(key) {
    const shown = this.list.elementOf(key)?.querySelector('[data-row]');
    shown?.classList.remove('flash');
    requestAnimationFrame(() => shown?.classList.add('flash'));
  }
}

/**
 * What stands above the first message.
 * @param {{ state: 'loading' | 'more' | 'failed' | 'beginning', again: () => void, about?: Node }} what
 */
export function listHead({ state, again, about }) {
  const box = h('div.list-head');
  if (state === 'loading' || state === 'more') fill(box, h('span.spinner'), h('span.note', null, 'Loading older messages'));
  if (state === 'failed') fill(box, h('span.note', null, 'Older messages could not be loaded.'), h('button.button', { type: 'button', onclick: again }, 'Try again'));
  if (state === 'beginning' && about) fill(box, about);
  return box;
}
