// What was written and not sent yet, by chat and thread. Promises that it survives a reload of the
// page, in this browser and for this person only.
// @ts-check

const DRAFTS_MAX = 200;
const TEXT_MAX = 20_000;

export class Drafts {
  /** @type {Map<string, string>} */ #texts = new Map();
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
      if (event.key !== this.#key) return;
      const before = [...this.#texts.keys()];
      this.#read();
      for (const place of new Set([...before, ...this.#texts.keys()])) this.#tell(place);
    }, { signal });
  }

  #read() {
    this.#texts.clear();
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key) ?? '[]');
      for (const [place, text] of Array.isArray(kept) ? kept : []) {
        if (typeof place === 'string' && typeof text === 'string') this.#texts.set(place, text.slice(0, TEXT_MAX));
      }
    } catch { /* Begins without. */ }
  }

  /** @param {string} place */
  of(place) { return this.#texts.get(place) ?? ''; }

  /** @param {string} place @param {string} text */
  keep(place, text) {
    const [had, has] = [this.#texts.has(place), text.trim() !== ''];
    this.#texts.delete(place);
    if (has) this.#texts.set(place, text.slice(0, TEXT_MAX));
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= DRAFTS_MAX) break;
      this.#texts.delete(oldest);
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.write(), 300);
    if (had !== has) this.#tell(place);
  }

  /** Writes down what is known now, where a reload finds it. */
  write() {
    clearTimeout(this.#timer);
    if (this.#forgotten) return;
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
    try {
      localStorage.removeItem(this.#key);
    } catch { /* Then nothing was kept. */ }
  }

  /** @param {string} place */
  #tell(place) { for (const listener of this.#listeners) listener(place); }

  /** Hears when a place gets its first or loses its last word. @param {(place: string) => void} listener */
  subscribe(listener) { this.#listeners.add(listener); }
}
