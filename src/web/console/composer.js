// Where messages are written: text, emoji and files, for a chat or a thread. Promises that what was
// written stays until it is sent: over another chat, a reload, and a lost connection.
// @ts-check
import { fill, h, icon, iconButton, say } from './dom.js';
import { Completion } from './completion.js';
import { announce } from './notices.js';
import { openPicker } from './picker.js';
import { Tray } from './uploads.js';

/** @typedef {import('./app.js').App} App */

/** Bytes of a text, as the hub has it by default. */
const TEXT_BYTES_MAX = 16_384;
const bytesOf = (/** @type {string} */ text) => new TextEncoder().encode(text).length;
const touch = matchMedia('(pointer: coarse)');

export class Composer {
  #place = '';
  #typing = false;
  /** @type {Map<string, Tray>} */ #trays = new Map();
  /** Places whose message goes as soon as its files are there. @type {Set<string>} */ #waiting = new Set();

  /**
   * @param {App} app
   * @param {{ label: string, sent: (key: string) => void, up: () => void, leave: () => void }} parts
   *   `up`: arrow up in an empty field; `leave`: Escape.
   */
  constructor(app, parts) {
    this.app = app;
    this.parts = parts;
    this.input = h('textarea.write', {
      rows: 1, dir: 'auto', 'aria-label': parts.label, autocomplete: 'off', autocapitalize: 'sentences', enterkeyhint: 'enter',
      oninput: () => this.#typed(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.#pressed(event),
      onpaste: (/** @type {ClipboardEvent} */ event) => this.#pasted(event),
    });
    this.completion = new Completion(this.input, (text, instead) => {
      const { selectionStart: at } = this.input;
      this.input.setRangeText(text, at - instead, at, 'end');
      this.#typed();
    });
    this.files = h('input', { type: 'file', multiple: true, hidden: true, tabindex: '-1', 'aria-hidden': 'true' });
    this.files.addEventListener('change', () => { this.add([...(this.files.files ?? [])]); this.files.value = ''; });
    this.trayPlace = h('div');
    this.note = h('span.note', { role: 'status' });
    this.sendButton = h('button.send', { type: 'button', 'aria-label': 'Send', title: 'Send (Enter)', disabled: true, onclick: () => this.send() }, icon('send'));
    const smile = iconButton('smile', 'Insert an emoji', { 'aria-haspopup': 'dialog', onclick: () => openPicker(smile, (emoji) => this.insert(emoji)) });
    this.element = h('div.composer', { role: 'group', 'aria-label': parts.label },
      this.completion.element, this.trayPlace, this.input,
      h('div.composer-foot', null, iconButton('clip', 'Attach files', { onclick: () => this.files.click() }), smile, this.files,
        h('span.gap'), this.note, this.sendButton));
    app.drafts.subscribe((place) => { if (place === this.#place) this.#elsewhere(); });
    const stop = app.store.subscribe(({ list }) => { if (list) this.#letGo(); });
    app.signal.addEventListener('abort', stop);
    this.element.addEventListener('pointerdown', (event) => {
      if (event.target === this.element) { event.preventDefault(); this.focus(); }
    });
  }

  /** @param {string} chat @param {string} parent */
  show(chat, parent, placeholder = 'Write a message') {
    this.chat = chat;
    this.parent = parent;
    this.input.placeholder = placeholder;
    const place = parent ? `${chat}/${parent}` : chat;
    if (place === this.#place) return;
    this.#place = place;
    this.input.value = this.app.drafts.of(place);
    fill(this.trayPlace, this.#tray(place).element);
    this.#grow();
    this.#update();
  }

  /** The draft was written on or sent in another tab, or got back what could not be sent. */
  #elsewhere() {
    const now = this.app.drafts.of(this.#place);
    if (this.#typing || now === this.input.value) return;
    this.input.value = now;
    this.#grow();
    this.#update();
  }

  /** Files for a chat that one is no longer in cannot be sent. */
  #letGo() {
    const { chats, me } = this.app.store;
    if (!me) return;
    for (const [place, tray] of this.#trays) if (tray.uploads.length > 0 && !chats.has(place.split('/')[0])) tray.abandon();
  }

  /** @param {string} place */
  #tray(place) {
    let tray = this.#trays.get(place);
    if (!tray) {
      const [chat, parent] = [this.chat ?? '', this.parent ?? ''];
      tray = new Tray(this.app, () => this.#trayChanged(place, chat, parent));
      this.#trays.set(place, tray);
      for (const [old, { uploads }] of this.#trays) if (old !== place && uploads.length === 0) this.#trays.delete(old);
    }
    return tray;
  }

  /** @param {string} place @param {string} chat @param {string} parent */
  #trayChanged(place, chat, parent) {
    const tray = this.#trays.get(place);
    if (tray?.failed || tray?.uploads.length === 0) this.#waiting.delete(place);
    if (tray?.done && this.#waiting.delete(place)) {
      this.#go(place, chat, parent, place === this.#place ? this.input.value : this.app.drafts.of(place));
    }
    this.#update();
  }

  focus() { this.input.focus({ preventScroll: true }); }

  /** @param {File[]} files */
  add(files) {
    if (files.length === 0) return;
    this.#tray(this.#place).add(files);
    announce(files.length === 1 ? `${files[0].name} is being uploaded` : `${files.length} files are being uploaded`);
    this.focus();
  }

  /** @param {string} text */
  insert(text) {
    this.focus();
    const { selectionStart: from, selectionEnd: to } = this.input;
    this.input.setRangeText(text, from, to, 'end');
    this.#typed();
  }

  #typed() {
    this.#typing = true;
    this.app.drafts.keep(this.#place, this.input.value);
    this.#typing = false;
    this.#grow();
    this.#update();
    this.completion.look();
  }

  #grow() {
    this.input.style.height = 'auto';
    this.input.style.height = `${Math.min(this.input.scrollHeight, Math.round(innerHeight * 0.4))}px`;
  }

  #update() {
    const [text, tray] = [this.input.value, this.#tray(this.#place)];
    const bytes = text.length > TEXT_BYTES_MAX / 4 ? bytesOf(text.trim()) : 0;
    const empty = text.trim() === '' && tray.uploads.length === 0;
    this.sendButton.disabled = empty || bytes > TEXT_BYTES_MAX || tray.failed;
    this.note.classList.toggle('wrong', bytes > TEXT_BYTES_MAX);
    say(this.note, bytes > TEXT_BYTES_MAX ? `Too long by ${(bytes - TEXT_BYTES_MAX).toLocaleString()} characters`
      : bytes > TEXT_BYTES_MAX * 0.9 ? `${(TEXT_BYTES_MAX - bytes).toLocaleString()} left`
        : this.#waiting.has(this.#place) ? 'Sends when the files are there' : '');
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.isComposing || event.keyCode === 229 || this.completion.pressed(event)) return;
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey && !touch.matches) {
      event.preventDefault();
      this.send();
    } else if (event.key === 'ArrowUp' && this.input.value === '' && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.parts.up();
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      this.parts.leave();
    }
  }

  /** @param {ClipboardEvent} event */
  #pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    // Copied from an office program, text comes with a picture of itself: the text is meant.
    if (files.length === 0 || event.clipboardData?.getData('text/plain')) return;
    event.preventDefault();
    this.add(files);
  }

  send() {
    if (this.sendButton.disabled || !this.chat) return;
    const tray = this.#tray(this.#place);
    if (!tray.done) {
      this.#waiting.add(this.#place);
      this.#update();
      return;
    }
    this.#go(this.#place, this.chat, this.parent ?? '', this.input.value);
  }

  /** @param {string} place @param {string} chat @param {string} parent @param {string} written */
  #go(place, chat, parent, written) {
    const text = written.trim();
    const tray = this.#trays.get(place);
    const medias = tray?.medias ?? [];
    if (!text && medias.length === 0) return;
    let sent;
    try {
      sent = this.app.store.send(chat, { text, medias, ...(parent ? { parent } : {}) });
    } catch (error) {
      // Text and files stay where they are.
      this.app.failed(error);
      return;
    }
    tray?.empty();
    this.app.drafts.keep(place, '');
    // At once: another tab that shows the same draft must not send it too.
    this.app.drafts.write();
    if (place === this.#place) {
      this.input.value = '';
      this.#grow();
      this.#update();
    }
    sent.settled.catch(() => announce('A message was not sent'));
    if (place === this.#place) this.parts.sent(sent.key);
  }
}

/**
 * Lets files be dropped on a pane.
 * @param {HTMLElement} pane
 * @param {() => Composer | null} composer
 */
export function takeDrops(pane, composer) {
  const veil = h('div.drop', { hidden: true, 'aria-hidden': 'true' }, icon('clip'), 'Drop files to send them here');
  pane.append(veil);
  const carries = (/** @type {DragEvent} */ event) => Boolean(event.dataTransfer?.types.includes('Files'));
  pane.addEventListener('dragover', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = composer() ? 'copy' : 'none';
    veil.hidden = !composer();
  });
  pane.addEventListener('dragleave', (event) => { if (!pane.contains(/** @type {Node | null} */ (event.relatedTarget))) veil.hidden = true; });
  pane.addEventListener('drop', (event) => {
    veil.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    composer()?.add([...(event.dataTransfer?.files ?? [])]);
  });
}
