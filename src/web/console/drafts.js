// What was written and not sent yet, by chat and thread, and how it is shown where it cannot be sent.
// Promises that it survives a reload of the page, in this browser and for this person only.
// @ts-check
import { h } from './dom.js';

const DRAFTS_MAX = 200;
const TEXT_MAX = 20_000;

export class Drafts {
  /** @type {Map<string, string>} */ #texts = new Map();
  /** Places whose text is newer here than in the browser's storage. @type {Set<string>} */ #unwritten = new Set();
  /** @type {Set<(place: string) => void>} */ #listeners = new Set();
  #key;
  #forgotten = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {string} agent @param {AbortSignal} signal */
  constructor(agent, signal) {
    this.#key = `talk.drafts.${agent}`;
    this.#read();
    addEventListener('pagehide', () => this.write(), { signal });
    signal.addEventListener('abort', () => this.write());
    addEventListener('storage', (event) => {
      if (event.key === this.#key) this.#read();
    }, { signal });
  }

  /** Takes what another tab wrote, but for the places where this one is about to write. */
  #read() {
    const before = new Map(this.#texts);
    const mine = [...before].filter(([place]) => this.#unwritten.has(place));
    this.#texts.clear();
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key) ?? '[]');
      for (const [place, text] of Array.isArray(kept) ? kept : []) {
        if (typeof place !== 'string' || typeof text !== 'string' || this.#unwritten.has(place)) continue;
        this.#texts.set(place, text.slice(0, TEXT_MAX));
      }
    } catch { /* Begins without. */ }
    for (const [place, text] of mine) this.#texts.set(place, text);
    this.#bound();
    for (const place of new Set([...before.keys(), ...this.#texts.keys()])) {
      if (before.get(place) !== this.#texts.get(place)) this.#tell(place);
    }
  }

  #bound() {
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= DRAFTS_MAX) break;
      this.#texts.delete(oldest);
    }
  }

  /** @param {string} place */
  of(place) { return this.#texts.get(place) ?? ''; }

  /** @param {string} place @param {string} text */
  keep(place, text) {
    const [had, has] = [this.#texts.has(place), text.trim() !== ''];
    this.#texts.delete(place);
    if (has) this.#texts.set(place, text.slice(0, TEXT_MAX));
    this.#unwritten.add(place);
    this.#bound();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.write(), 300);
    if (had !== has) this.#tell(place);
  }

  /** Puts messages that were not sent in front of what stands there. @param {import('/client/index.js').Message} message */
  takeBack({ chat_id: chat, parent_id: parent, text }) {
    if (!text) return;
    const place = parent ? `${chat}/${parent}` : chat;
    const had = this.of(place);
    this.keep(place, [text, had].filter(Boolean).join('\n'));
    if (had) this.#tell(place);
  }

  /** Writes down what is known now, where a reload finds it. */
  write() {
    clearTimeout(this.#timer);
    if (this.#forgotten || this.#unwritten.size === 0) return;
    // What another tab wrote and this one has not heard of yet stays.
    this.#read();
    this.#unwritten.clear();
    try {
      if (this.#texts.size > 0) localStorage.setItem(this.#key, JSON.stringify([...this.#texts]));
      else localStorage.removeItem(this.#key);
    } catch { /* Kept in this tab only. */ }
  }

  /** Nothing of it is kept in this browser any more, from here on. */
  forget() {
    clearTimeout(this.#timer);
    this.#forgotten = true;
    this.#texts.clear();
    this.#unwritten.clear();
    try {
      localStorage.removeItem(this.#key);
    } catch { /* Then nothing was kept. */ }
  }

  /** @param {string} place */
  #tell(place) { for (const listener of this.#listeners) listener(place); }

  /** Hears when a place gets its first or loses its last word, or another text from elsewhere. @param {(place: string) => void} listener */
  subscribe(listener) { this.#listeners.add(listener); }
}

/**
 * A draft where one cannot write any more: to be read and copied.
 * @param {string} text
 */
export function keptDraft(text) {
  if (!text) return null;
  return h('label.kept-draft', null, h('span', null, 'You had written'),
    h('textarea', { readonly: true, dir: 'auto', rows: Math.min(6, text.split('\n').length + 1), value: text }));
}
