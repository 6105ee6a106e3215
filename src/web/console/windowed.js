// A list of any length of which only what can be seen is in the page. Heights are measured, not
// known; promises that what the reader looks at stays where it is while rows above it come, go or
// grow, and that a reader at the end stays at the end.
// @ts-check
import { eachFrame } from './dom.js';

/** Pixels beyond the edges for which rows are kept. */
const BEYOND = 700;
/** Pixels from the end that still count as being at the end. */
const NEAR_END = 32;

/**
 * @typedef {object} Item
 * @property {string} key Stays the same while it is the same row.
 * @property {number} guess Pixels that it may be high, until it was measured.
 * @property {any} row What it shows: another object means that it is drawn again.
 * @property {number} flags How it shows it; the same.
 */

/** How to find the same part of a row that was drawn again. @param {Element | null} focused */
function sameInside(focused) {
  for (const name of ['data-emoji', 'data-act']) {
    const value = focused?.getAttribute(name);
    if (value) return `[${name}="${CSS.escape(value)}"]`;
  }
  return '';
}

/** @template {Item} T */
export class Windowed {
  /** @type {T[]} */ items = [];
  /** @type {Map<string, number>} */ #places = new Map();
  /** @type {Map<string, number>} */ #heights = new Map();
  /** Top of each item, and the end of the last. */ #tops = new Float64Array(1);
  /** @type {Map<string, { element: HTMLElement, item: T }>} */ #shown = new Map();
  /** The row that stays where it is, and how far its top is below the top of the view. @type {{ key: string, offset: number } | null} */
  #anchor = null;
  #atEnd = true;
  #expected = -1;
  #range = { first: 0, last: -1 };
  #draws = false;
  #width = 0;
  #observer = new ResizeObserver(() => this.#resized());

  /**
   * @param {{ scroller: HTMLElement, content: HTMLElement, draw: (item: T) => HTMLElement,
   *   moved: () => void, gone?: (element: HTMLElement) => void }} parts `moved` is called after every change of what is seen.
   */
  constructor({ scroller, content, draw, moved, gone }) {
    this.scroller = scroller;
    this.content = content;
    this.draw = draw;
    this.moved = moved;
    this.gone = gone;
    scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#observer.observe(scroller);
    this.later = eachFrame(() => { this.#noticed(); this.#show(); });
  }

  /** Ends it. */
  close() {
    this.#observer.disconnect();
  }

  get atEnd() { return this.#atEnd; }

  /** @param {string} key */
  placeOf(key) { return this.#places.get(key) ?? -1; }

  /** @param {string} key */
  elementOf(key) { return this.#shown.get(key)?.element ?? null; }

  /**
   * Takes other items. What the reader sees stays where it is.
   * @param {T[]} items
   */
  setItems(items) {
    this.#noticed();
    if (this.#anchor && !this.#atEnd) this.#rescueAnchor(items);
    this.items = items;
    this.#places = new Map(items.map((item, place) => [item.key, place]));
    if (this.#heights.size > items.length * 2 + 1000) {
      for (const key of this.#heights.keys()) if (!this.#places.has(key)) this.#heights.delete(key);
    }
    this.#stack();
    this.#show();
  }

  /** The anchor's row may be gone from the new items: then the next one that stays takes its place. @param {T[]} items */
  #rescueAnchor(items) {
    const anchor = /** @type {{ key: string, offset: number }} */ (this.#anchor);
    const keys = new Set(items.map((item) => item.key));
    if (keys.has(anchor.key)) return;
    const from = this.#places.get(anchor.key) ?? 0;
    const found = this.items.slice(from).find((item) => keys.has(item.key));
    if (!found) return;
    const shift = this.#top(found.key) - this.#top(anchor.key);
    this.#anchor = { key: found.key, offset: anchor.offset + shift };
  }

  /** Forgets everything and begins at the end. */
  reset() {
    for (const { element } of this.#shown.values()) this.#drop(element);
    this.#shown.clear();
    this.#heights.clear();
    this.items = [];
    this.#places.clear();
    this.#anchor = null;
    this.#atEnd = true;
    this.#expected = -1;
    this.#stack();
  }

  toEnd() {
    this.#atEnd = true;
    this.#anchor = null;
    this.#show();
  }

  /**
   * Brings a row into view: `nearest` moves as little as it can, otherwise its top comes to this
   * part of the view.
   * @param {string} key
   * @param {'nearest' | number} where
   */
  reveal(key, where = 'nearest') {
    const place = this.#places.get(key);
    if (place === undefined) return;
    const [top, height, view] = [this.#tops[place], this.#height(place), this.scroller.clientHeight];
    const now = this.scroller.scrollTop;
    let offset = top - now;
    if (where === 'nearest') {
      if (offset < 8) offset = 8;
      else if (offset + height > view - 8) offset = Math.max(8, view - height - 8);
      else if (this.#shown.has(key)) return;
    } else {
      offset = view * where;
    }
    this.#atEnd = false;
    this.#anchor = { key, offset };
    this.#show();
  }

  /** The first and the last item that can be seen, wholly or in part; -1 when there is none. */
  seen() {
    const [from, to] = [this.scroller.scrollTop, this.scroller.scrollTop + this.scroller.clientHeight];
    if (this.items.length === 0) return { first: -1, last: -1 };
    return { first: this.#at(from), last: this.#at(to - 1) };
  }

  /** @param {string} key */
  #top(key) { return this.#tops[this.#places.get(key) ?? 0]; }

  /** @param {number} place */
  #height(place) {
    const item = this.items[place];
    return this.#heights.get(item.key) ?? item.guess;
  }

  #stack() {
    const tops = new Float64Array(this.items.length + 1);
    for (let place = 0; place < this.items.length; place += 1) tops[place + 1] = tops[place] + this.#height(place);
    this.#tops = tops;
  }

  /** The item at this height. @param {number} at */
  #at(at) {
    let [low, high] = [0, this.items.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #scrolled() {
    if (this.#noticed()) this.later();
  }

  /** Whether the reader went elsewhere since; what they see there is what stays from now on. */
  #noticed() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    if (this.#draws || this.#expected < 0 || Math.abs(scrollTop - this.#expected) < 1) return false;
    this.#expected = scrollTop;
    this.#atEnd = scrollHeight - clientHeight - scrollTop < NEAR_END;
    this.#holdOn(scrollTop);
    return true;
  }

  /** Makes the first row that can be seen the one that stays. @param {number} scrollTop */
  #holdOn(scrollTop) {
    if (this.items.length === 0) return;
    const place = this.#at(scrollTop);
    this.#anchor = { key: this.items[place].key, offset: this.#tops[place] - scrollTop };
  }

  /** Where the view has to begin so that the anchor is where it was. */
  #wanted() {
    const end = Math.max(0, this.#tops[this.items.length] - this.scroller.clientHeight);
    const place = this.#atEnd || !this.#anchor ? undefined : this.#places.get(this.#anchor.key);
    if (place === undefined || !this.#anchor) return this.#atEnd ? end : Math.min(end, this.scroller.scrollTop);
    return Math.max(0, Math.min(end, this.#tops[place] - this.#anchor.offset));
  }

  #show() {
    if (this.#draws) return;
    this.#draws = true;
    // Rows that were guessed wrong change what fits: few rounds settle it.
    for (let round = 0; round < 4; round += 1) {
      const top = this.#wanted();
      const first = this.#at(Math.max(0, top - BEYOND));
      const last = this.items.length === 0 ? -1 : this.#at(top + this.scroller.clientHeight + BEYOND);
      this.#put(first, last);
      if (!this.#measure()) break;
      this.#pad();
    }
    this.#settle();
    if (!this.#atEnd && this.scroller.scrollHeight - this.scroller.clientHeight - this.#expected < 2) this.#atEnd = true;
    this.#draws = false;
    this.moved();
  }

  /** Puts exactly these rows into the page. @param {number} first @param {number} last */
  #put(first, last) {
    /** @type {Map<string, { element: HTMLElement, item: T }>} */
    const next = new Map();
    let [focused, inside] = ['', ''];
    for (let place = first; place <= last; place += 1) {
      const item = this.items[place];
      const old = this.#shown.get(item.key);
      if (old && old.item.row === item.row && old.item.flags === item.flags) {
        next.set(item.key, { element: old.element, item });
      } else {
        if (old?.element.contains(document.activeElement)) [focused, inside] = [item.key, sameInside(document.activeElement)];
        next.set(item.key, { element: this.draw(item), item });
      }
    }
    for (const [key, { element }] of this.#shown) {
      if (next.get(key)?.element === element) continue;
      if (element.contains(document.activeElement) && !focused) this.scroller.focus({ preventScroll: true });
      this.#drop(element);
    }
    let after = this.content.firstElementChild;
    for (const { element } of next.values()) {
      if (element === after) { after = after.nextElementSibling; continue; }
      this.content.insertBefore(element, after);
      this.#observer.observe(element);
    }
    this.#shown = next;
    this.#range = { first, last };
    this.#pad();
    const again = next.get(focused)?.element;
    const part = inside ? again?.querySelector(inside) : null;
    /** @type {HTMLElement | null | undefined} */ (part ?? again?.querySelector('[data-row]'))?.focus({ preventScroll: true });
  }

  /** The room of the rows that are not in the page. */
  #pad() {
    const { first, last } = this.#range;
    this.content.style.paddingTop = `${this.#tops[first] ?? 0}px`;
    this.content.style.paddingBottom = `${Math.max(0, this.#tops[this.items.length] - (this.#tops[last + 1] ?? 0))}px`;
  }

  #settle() {
    const top = this.#wanted();
    if (Math.abs(this.scroller.scrollTop - top) >= 1) this.scroller.scrollTop = top;
    this.#expected = this.scroller.scrollTop;
  }

  /** @param {HTMLElement} element */
  #drop(element) {
    this.#observer.unobserve(element);
    this.gone?.(element);
    element.remove();
  }

  /** Whether a height is another than was thought. */
  #measure() {
    let changed = false;
    for (const [key, { element }] of this.#shown) {
      const height = element.getBoundingClientRect().height;
      if (Math.abs(height - (this.#heights.get(key) ?? -1)) < 0.5) continue;
      this.#heights.set(key, height);
      changed = true;
    }
    if (changed) this.#stack();
    return changed;
  }

  /** Something grew or shrank: corrects the place before it is painted, and draws in the next frame. */
  #resized() {
    if (this.#draws || this.scroller.clientHeight === 0) return;
    this.#noticed();
    const width = this.scroller.clientWidth;
    if (width !== this.#width) {
      // Text breaks elsewhere: what was measured at another width is only a guess now.
      if (this.#width > 0) for (const key of this.#heights.keys()) if (!this.#shown.has(key)) this.#heights.delete(key);
      this.#width = width;
      this.#stack();
    }
    this.#measure();
    this.#pad();
    this.#settle();
    this.later();
  }
}
