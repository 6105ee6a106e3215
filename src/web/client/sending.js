// What is done to messages, on its way to the hub: shown at once, settled by the answer.
//
// Promises: messages of a chat go one after the other, so they arrive in the order of their sending;
// a message is sent under one idempotency key however often it is tried, so it is there once; what
// fails for good is shown as failed.
// @ts-check

import { asTalkError, impossible } from "./error.js";
import { randomId } from "./http.js";
import { now } from "./outgoing.js";

/** @import { Calls, Draft, Message, Sending as Sent } from "./index.js" */
/** @import { Pending } from "./outgoing.js" */
/** @import { Entry, Shelf } from "./shelf.js" */

/** Unsettled messages of a chat at most. */
const PENDING_MOST = 200;

/** @typedef {{ resolve: (message: Message) => void, reject: (error: unknown) => void }} Waiting */

export class Sending {
  /**
   * @param {Shelf} shelf
   * @param {Calls} calls
   */
  constructor(shelf, calls) {
    this.shelf = shelf;
    this.calls = calls;
    /** Who waits for a message to settle, by its key. @type {Map<string, Waiting>} */
    this.waiting = new Map();
    /** Reactions and deletions of one message go one after the other. @type {Map<string, Promise<unknown>>} */
    this.lines = new Map();
    shelf.onQueued = (entry) => void this.#go(entry);
  }

  /** @param {Entry} entry @param {Draft} draft @returns {Sent} */
  send(entry, draft) {
    const { outgoing } = entry.model;
    if (outgoing.pending.length >= PENDING_MOST) {
      throw impossible("TOO_MANY_PENDING", `no more than ${PENDING_MOST} messages of a chat wait to be sent`);
    }
    const key = randomId("row-");
    outgoing.add({
      key,
      idempotencyKey: randomId("web-"),
      draft,
      shown: this.#shown(entry, draft),
      state: "queued",
      error: null,
      settled: null,
      claimed: null,
      after: entry.model.seq,
    });
    return this.#queued(entry, key);
  }

  /** @param {Entry} entry @param {string} key @returns {Sent} */
  retry(entry, key) {
    const one = this.#failed(entry, key);
    if (one.lost) Object.assign(one, { idempotencyKey: randomId("web-"), lost: false, after: entry.model.seq });
    entry.model.outgoing.queue(one);
    return this.#queued(entry, key);
  }

  /** @param {Entry} entry @param {string} key */
  discard(entry, key) {
    entry.model.outgoing.discard(this.#failed(entry, key));
  }

  /** @param {Entry} entry @param {string} key @returns {Pending} */
  #failed(entry, key) {
    const one = entry.model.outgoing.find(key);
    if (one?.state !== "failed") throw impossible("NOT_FAILED", "this message has not failed");
    return one;
  }

  /** @param {Entry} entry @param {string} key @returns {Sent} */
  #queued(entry, key) {
    /** @type {Promise<Message>} */
    const settled = new Promise((resolve, reject) => this.waiting.set(key, { resolve, reject }));
    // Who does not wait for it sees the row.
    settled.catch(() => {});
    void this.#go(entry);
    return { key, settled };
  }

  /** @param {Entry} entry */
  async #go(entry) {
    const { outgoing } = entry.model;
    for (let one = outgoing.next(); one; one = outgoing.next()) {
      one.state = "sending";
      const { text, medias, parent } = one.draft;
      const body = { chat_id: entry.id, text, medias, parent_id: parent };
      try {
        const message = await this.calls.createMessage(body, { idempotencyKey: one.idempotencyKey });
        outgoing.settle(one, message);
        this.#tell(one.key, (waiting) => waiting.resolve(message));
      } catch (error) {
        const message = outgoing.fail(one, asTalkError(error));
        this.#tell(one.key, (waiting) => (message ? waiting.resolve(message) : waiting.reject(asTalkError(error))));
      }
    }
  }

  /** @param {string} key @param {(waiting: Waiting) => void} tell */
  #tell(key, tell) {
    const waiting = this.waiting.get(key);
    this.waiting.delete(key);
    if (waiting) tell(waiting);
  }

  /** @param {Entry} entry @param {Draft} draft @returns {Message} */
  #shown(entry, draft) {
    const at = now();
    return {
      id: "",
      customer_id: this.shelf.me?.customer_id ?? "",
      owner_type: "agent",
      owner_id: this.shelf.me?.id ?? "",
      chat_id: entry.id,
      ...(draft.parent ? { parent_id: draft.parent } : {}),
      type: "normal",
      text: draft.text ?? "",
      medias: (draft.medias ?? []).map((media) => ({ type: "file", ...media })),
      metadata: { reactions: [] },
      tm_create: at,
      tm_update: at,
      tm_delete: "",
      seq: Infinity,
    };
  }

  // ---- reactions and deletions -----------------------------------------------------------------

  /** @param {Entry} entry @param {string} messageId @param {string} emoji @param {boolean} on */
  react(entry, messageId, emoji, on) {
    const deed = entry.model.outgoing.deed(messageId);
    const wish = { emoji, on };
    deed.reactions.push(wish);
    const call = () =>
      on ? this.calls.addReaction(messageId, emoji) : this.calls.removeReaction(messageId, emoji);
    return this.#do(entry, messageId, call, () => {
      deed.reactions = deed.reactions.filter((one) => one !== wish);
    });
  }

  /** @param {Entry} entry @param {string} messageId */
  remove(entry, messageId) {
    const deed = entry.model.outgoing.deed(messageId);
    deed.deleting = true;
    return this.#do(entry, messageId, () => this.calls.deleteMessage(messageId), () => {
      deed.deleting = false;
    });
  }

  /**
   * Shows the deed, does it when those before it are done, and takes what the hub says.
   * @param {Entry} entry
   * @param {string} messageId
   * @param {() => Promise<Message>} call
   * @param {() => void} done takes the deed out again
   */
  async #do(entry, messageId, call, done) {
    const { model } = entry;
    const deed = model.outgoing.deed(messageId);
    deed.error = null;
    model.outgoing.deedChanged(messageId);
    const { epoch } = model;
    const before = this.lines.get(messageId) ?? Promise.resolve();
    const mine = before.then(call, call);
    this.lines.set(messageId, mine);
    try {
      const message = await mine;
      const known = model.records.get(messageId);
      if (known && epoch === model.epoch) model.take(known, message);
    } catch (error) {
      deed.error = asTalkError(error);
      throw deed.error;
    } finally {
      done();
      if (this.lines.get(messageId) === mine) this.lines.delete(messageId);
      model.outgoing.deedChanged(messageId);
    }
  }
}
