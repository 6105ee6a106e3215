// Emoji by name while writing: after `:ro` a short list offers the rocket; arrows choose, Enter or
// Tab takes, Escape leaves the text as it is.
// @ts-check
import { fill, h } from './dom.js';
import { findEmoji } from './picker.js';

const HITS_MAX = 7;
const TYPED = /(?:^|[\s(])(:([a-z0-9][a-z0-9_+-]{1,24})(:?))$/i;

let names = 0;

export class Completion {
  /** @type {{ emoji: string, name: string }[]} */ #hits = [];
  #at = 0;
  /** What the chosen one stands for in the text. */ #typed = '';
  /** Where somebody said no. */ #refused = '';

  /** @param {HTMLTextAreaElement} input @param {(text: string, instead: number) => void} take Puts a text in place of so many characters before the caret. */
  constructor(input, take) {
    this.input = input;
    this.take = take;
    names += 1;
    this.element = h('ul.completion', { role: 'listbox', id: `completion-${names}`, 'aria-label': 'Emoji', hidden: true });
    input.setAttribute('aria-autocomplete', 'list');
    input.setAttribute('aria-controls', this.element.id);
    input.addEventListener('blur', () => this.#close());
  }

  /** The text or the place in it changed. */
  look() {
    const { selectionStart: at, selectionEnd: end, value } = this.input;
    const found = at === end ? TYPED.exec(value.slice(Math.max(0, at - 40), at)) : null;
    if (!found || found[1] === this.#refused) return this.#close();
    this.#refused = '';
    this.#typed = found[1];
    this.#hits = findEmoji(found[2].replace(/[_-]/g, ' '), HITS_MAX);
    this.#at = 0;
    if (this.#hits.length === 0) return this.#close();
    if (found[3]) return this.#pick(0);
    this.#draw();
  }

  #draw() {
    this.element.hidden = false;
    fill(this.element, this.#hits.map(({ emoji, name }, place) => h('li.hit-row', {
      role: 'option', id: `${this.element.id}-${place}`, 'aria-selected': String(place === this.#at),
      onpointerdown: (/** @type {Event} */ event) => { event.preventDefault(); this.#pick(place); },
    }, h('span', { 'aria-hidden': 'true' }, emoji), h('span.cut', null, name))));
    this.input.setAttribute('aria-activedescendant', `${this.element.id}-${this.#at}`);
  }

  #close() {
    this.#hits = [];
    this.element.hidden = true;
    this.input.removeAttribute('aria-activedescendant');
  }

  /** @param {number} place */
  #pick(place) {
    const { emoji } = this.#hits[place];
    const length = this.#typed.length;
    this.#close();
    this.take(emoji, length);
  }

  /** Whether the key was meant for the list. @param {KeyboardEvent} event */
  pressed(event) {
    if (this.#hits.length === 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.#at = (this.#at + step + this.#hits.length) % this.#hits.length;
      this.#draw();
    } else if (event.key === 'Enter' || event.key === 'Tab') {
      this.#pick(this.#at);
    } else if (event.key === 'Escape') {
      this.#refused = this.#typed;
      this.#close();
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}
