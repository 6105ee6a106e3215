// Messages on their way in chats that one was taken out of meanwhile. Promises that the text of each
// that the hub does not take is back among the drafts, and that the person hears of it.
// @ts-check
import { notice } from './notices.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').ChatView} ChatView */
/** @typedef {import('/client/index.js').Message} Message */

/** @param {ChatView} view */
const unsettled = ({ rows }) => rows.filter(({ state }) => state !== 'sent');

export class Unsettled {
  /** @type {ReadonlyMap<string, ChatView>} */ #views = new Map();
  /** Gone from the model, with messages that the hub has not answered yet. @type {Set<ChatView>} */ #gone = new Set();
  /** Rows whose text is among the drafts. @type {WeakMap<ChatView, Set<string>>} */ #back = new WeakMap();

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.#views = new Map(app.store.chats);
  }

  /** What was written and is not with the hub, in the order of its writing by chat. @returns {Message[]} */
  all() {
    const views = new Set([...this.#gone, ...this.#views.values(), ...this.app.store.chats.values()]);
    return [...views].flatMap((view) => this.#of(view).map(({ message }) => message));
  }

  /** @param {ChatView} view */
  #of(view) {
    const back = this.#back.get(view);
    return unsettled(view).filter(({ key }) => !back?.has(key));
  }

  /** The page ends: whoever comes back begins again with it. */
  keepAll() {
    for (const message of this.all().reverse()) this.app.drafts.takeBack(message);
    this.app.drafts.write();
  }

  /** @param {import('/client/index.js').Changes} changes */
  changed({ list }) {
    const { chats } = this.app.store;
    if (list) {
      for (const [id, view] of this.#views) if (chats.get(id) !== view && unsettled(view).length > 0) this.#gone.add(view);
      this.#views = new Map(chats);
    }
    for (const view of this.#gone) this.#look(view);
  }

  /** One that is still being sent may yet be taken: only what failed goes back. @param {ChatView} view */
  #look(view) {
    const left = this.#of(view);
    const failed = left.filter(({ state }) => state === 'failed');
    if (failed.length === left.length) this.#gone.delete(view);
    for (const { message } of failed.reverse()) this.app.drafts.takeBack(message);
    if (failed.length > 0) {
      const back = this.#back.get(view) ?? new Set();
      for (const { key } of failed) back.add(key);
      this.#back.set(view, back);
      if (!this.app.store.me) return;
      const what = failed.length === 1 ? 'A message was' : `${failed.length} messages were`;
      notice(`${what} not sent: you are no longer in that chat. What you wrote is kept.`, { wrong: true });
    }
  }
}
