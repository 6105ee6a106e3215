// Search in the messages of the open chat that are loaded, with next and previous, and a way to
// load more of them.
// @ts-check
import { h, iconButton, say } from './dom.js';
import { VERSION } from './message.js';
import { folded } from './text.js';

/** @typedef {import('/client/index.js').Row} Row */

export class Search {
  /** Keys of the rows that match, oldest first. @type {string[]} */ #hits = [];
  #now = '';

  /**
   * @param {import('./app.js').App} app
   * @param {import('./timeline.js').MessageList} list
   * @param {{ rows: () => readonly Row[], older: () => Promise<number>, whole: () => boolean, back: () => void }} parts
   */
  constructor(app, list, parts) {
    this.app = app;
    this.list = list;
    this.parts = parts;
    this.input = h('input.input', { type: 'search', placeholder: 'Search in loaded messages', 'aria-label': 'Search in loaded messages', autocomplete: 'off' });
    this.count = h('span.note', { role: 'status' });
    this.more = h('button.link-button', { type: 'button', onclick: () => this.#older() }, 'Load older');
    this.element = h('search.find', { hidden: true }, this.input, this.count, this.more,
      iconButton('up', 'Previous match', { onclick: () => this.step(-1) }), iconButton('below', 'Next match', { onclick: () => this.step(1) }),
      iconButton('close', 'Close search', { onclick: () => this.close(true) }));
    this.input.addEventListener('input', () => this.#typed());
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') { event.stopPropagation(); this.close(true); }
      if (event.key === 'Enter' && event.target === this.input) { event.preventDefault(); this.step(event.shiftKey ? 1 : -1); }
    });
  }

  open() {
    this.element.hidden = false;
    this.input.focus();
    this.input.select();
    if (this.input.value) this.#typed();
  }

  /** @param {boolean} [back] */
  close(back = false) {
    if (this.element.hidden) return;
    this.element.hidden = true;
    this.#hits = [];
    this.list.mark('');
    this.#redraw();
    if (back) this.parts.back();
  }

  /** The rows are others now. */
  refresh() {
    if (this.element.hidden || !this.input.value.trim()) return;
    this.#find();
    this.#tell();
  }

  #find() {
    const wanted = folded(this.input.value.trim());
    const found = wanted ? this.parts.rows().filter(({ message }) => !message.tm_delete
      && (folded(message.text).includes(wanted) || message.medias.some(({ name }) => name && folded(name).includes(wanted)))) : [];
    // A reply that has no line of its own is found where its thread begins.
    const keys = found.map(({ key, message }) => (this.list.list.placeOf(key) >= 0 || !message.parent_id ? key
      : this.parts.rows().find((row) => row.message.id === message.parent_id)?.key ?? key));
    this.#hits = [...new Set(keys)].filter((key) => this.list.list.placeOf(key) >= 0);
  }

  #typed() {
    this.list.mark(this.input.value.trim());
    this.#find();
    this.#now = '';
    this.#redraw();
    if (this.#hits.length > 0) this.step(-1);
    this.#tell();
  }

  #redraw() {
    const { list, version } = this.list;
    list.setItems(list.items.map((item) => (item.key === 'head' ? item : { ...item, flags: (item.flags % VERSION) + version * VERSION })));
  }

  /** Towards older ones with -1. @param {number} by */
  step(by) {
    if (this.#hits.length === 0) return;
    const at = this.#hits.indexOf(this.#now);
    const to = at < 0 ? this.#hits.length - 1 : (at + by + this.#hits.length) % this.#hits.length;
    this.#now = this.#hits[to];
    this.list.list.reveal(this.#now, 0.35);
    for (const old of this.list.content.querySelectorAll('.hit')) old.classList.remove('hit');
    this.list.list.elementOf(this.#now)?.classList.add('hit');
    this.#tell();
  }

  #tell() {
    const at = this.#hits.indexOf(this.#now);
    const typed = this.input.value.trim() !== '';
    say(this.count, !typed ? '' : this.#hits.length === 0 ? 'No match' : `${at + 1} of ${this.#hits.length}`);
    this.more.hidden = !typed || this.parts.whole();
  }

  async #older() {
    say(this.count, 'Loading');
    await this.parts.older();
    this.#find();
    this.#tell();
  }
}
