// How far a person has read, chat by chat: kept in the browser, shared by its tabs.
// Promises: a mark only goes forward; what is kept is no more than one number for each chat.
// @ts-check

/** @import { Settled } from "./options.js" */

/** Milliseconds after which a mark is written, together with those of meanwhile. */
const WRITE_MS = 500;

export class Marks {
  /**
   * @param {Settled["storage"]} storage
   * @param {string} me
   * @param {(chatId: string, seq: number) => void} onMark tells of marks that another tab made
   */
  constructor(storage, me, onMark) {
    this.storage = storage;
    this.name = `talk-hub:read:${me}`;
    const kept = this.#read();
    /** Whether nothing was ever read here: then what there is counts as read. */
    this.first = kept === null;
    /** @type {Record<string, number>} */
    this.seqs = kept ?? {};
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** Chats whose marks go with the next writing. @type {Set<string>} */
    this.gone = new Set();
    this.ended = false;
    this.onStorage = (/** @type {StorageEvent} */ event) => {
      if (event.key !== this.name) return;
      for (const [chat, seq] of Object.entries(this.#read() ?? {})) {
        if (seq <= (this.seqs[chat] ?? -1)) continue;
        this.seqs[chat] = seq;
        onMark(chat, seq);
      }
    };
    globalThis.window?.addEventListener("storage", this.onStorage);
  }

  /** @param {string} chatId */
  get(chatId) {
    return this.seqs[chatId] ?? null;
  }

  /** @param {string} chatId @param {number} seq */
  set(chatId, seq) {
    this.seqs[chatId] = seq;
    this.gone.delete(chatId);
    this.#soon();
  }

  /** @param {string} chatId */
  forget(chatId) {
    delete this.seqs[chatId];
    this.gone.add(chatId);
    this.#soon();
  }

  #soon() {
    if (!this.ended) this.timer ??= setTimeout(() => this.write(), WRITE_MS);
  }

  write() {
    clearTimeout(this.timer);
    this.timer = undefined;
    // Another tab may have read further, also in chats that are not here yet.
    for (const [chat, seq] of Object.entries(this.#read() ?? {})) {
      if (!this.gone.has(chat)) this.seqs[chat] = Math.max(seq, this.seqs[chat] ?? 0);
    }
    this.gone.clear();
    try {
      this.storage.setItem(this.name, JSON.stringify(this.seqs));
    } catch {
      // Full or forbidden: the marks last as long as the page.
    }
  }

  end() {
    if (this.timer !== undefined) this.write();
    this.ended = true;
    globalThis.window?.removeEventListener("storage", this.onStorage);
  }

  /** @returns {Record<string, number> | null} */
  #read() {
    try {
      const kept = JSON.parse(this.storage.getItem(this.name) ?? "null");
      if (kept === null || typeof kept !== "object") return null;
      return Object.fromEntries(Object.entries(kept).filter(([, seq]) => Number.isSafeInteger(seq)));
    } catch {
      return null;
    }
  }
}
