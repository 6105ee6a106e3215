// What was done here and is not settled yet: messages on their way, reactions and deletions that are
// shown before the hub has said yes. Pure.
//
// Promises: a message sent from here has one row from the first moment on, whichever comes first: its
// event, its answer, or a page that holds it. What the hub refuses is shown as failed or taken back.
// @ts-check

/** @import { Draft, Message, Row, TalkError } from "./index.js" */
/** @import { ChatModel } from "./chat-model.js" */

/**
 * A message on its way.
 * @typedef {object} Pending
 * @property {string} key of its row
 * @property {string} idempotencyKey
 * @property {Draft} draft
 * @property {Message} shown what its row shows meanwhile
 * @property {"queued" | "sending" | "failed" | "settled"} state
 * @property {TalkError | null} error
 * @property {Message | null} settled the hub's answer, while its event is still to come
 * @property {string | null} claimed the id of a message that came as an event and looks like this one
 * @property {boolean} [lost] acknowledged, and then gone with a rewritten history
 * @property {boolean} [unknown] failed without an answer: the hub may have it
 * @property {number} after its event has a higher number than this
 */

/**
 * What is done to a message that is there.
 * @typedef {object} Deed
 * @property {Array<{ emoji: string, on: boolean }>} reactions not answered yet, in order
 * @property {boolean} deleting
 * @property {TalkError | null} error
 */

export class Outgoing {
  /**
   * @param {ChatModel} chat
   * @param {() => void} [onQueued] is called when a message waits to be sent that nobody sent just now
   */
  constructor(chat, onQueued = () => {}) {
    this.chat = chat;
    this.onQueued = onQueued;
    /** @type {Pending[]} */
    this.pending = [];
    /** By message. @type {Map<string, Deed>} */
    this.deeds = new Map();
    /** Keys of rows whose message was sent from here, by message. @type {Map<string, string>} */
    this.keys = new Map();
  }

  /** @param {string} messageId */
  keyOf(messageId) {
    return this.keys.get(messageId) ?? messageId;
  }

  /** @param {string} messageId */
  forget(messageId) {
    this.keys.delete(messageId);
    this.deeds.delete(messageId);
  }

  /** Forgets what is of other messages than these. @param {ReadonlyMap<string, unknown>} messages */
  keepOnly(messages) {
    for (const id of [...this.keys.keys(), ...this.deeds.keys()]) if (!messages.has(id)) this.forget(id);
  }

  /**
   * The rows of what has no row in the timeline; of replies to one message only, if it is named.
   * @param {string} [parent]
   * @returns {Row[]}
   */
  rows(parent) {
    const visible = this.pending.filter((one) => one.claimed === null && (!parent || one.draft.parent === parent));
    return visible.map((one) => ({
      key: one.key,
      message: one.settled ?? one.shown,
      state: one.settled ? "sent" : one.state === "failed" ? "failed" : "sending",
      error: one.error,
      busy: false,
    }));
  }

  // ---- messages --------------------------------------------------------------------------------

  /** @param {Pending} one */
  add(one) {
    this.pending.push(one);
    this.#changed(one);
  }

  /** The next to be sent: one at a time, so that they arrive in order. */
  next() {
    if (this.pending.some((one) => one.state === "sending")) return null;
    return this.pending.find((one) => one.state === "queued") ?? null;
  }

  /** @param {string} key */
  find(key) {
    return this.pending.find((one) => one.key === key) ?? null;
  }

  /**
   * A message came by event or page. If it is one of ours, its row goes on as this one.
   * @param {Message} message
   */
  claim(message) {
    if (message.owner_id !== this.chat.me || this.pending.length === 0) return;
    const answered = this.pending.find((one) => one.settled?.id === message.id);
    if (answered) {
      this.#settleAs(answered, message.id);
      return;
    }
    // Its event overtook its answer; the answer will say whether this is the one.
    const open = (/** @type {Pending} */ one) => one.state === "sending" || (one.unknown && one.state !== "settled");
    const likely = this.pending.find((one) => open(one) && one.claimed === null && alike(one, message));
    if (!likely) return;
    likely.claimed = message.id;
    this.keys.set(message.id, likely.key);
    if (likely.state === "failed") {
      // Given up without an answer: asked again under the same key, the hub says which one it is.
      this.queue(likely);
      this.onQueued();
    } else this.#changed(likely);
  }

  /** The hub's answer. @param {Pending} one @param {Message} message */
  settle(one, message) {
    if (one.claimed !== null && one.claimed !== message.id) this.#unclaim(one);
    one.settled = message;
    one.state = "settled";
    one.error = null;
    // Its event has come already, though its row may be gone again.
    if (message.seq <= this.chat.seq || this.chat.records.has(message.id)) this.#settleAs(one, message.id);
    else this.#changed(one);
  }

  /** It was refused, or given up. @param {Pending} one @param {TalkError} error */
  fail(one, error) {
    const seen = one.claimed === null ? undefined : this.chat.records.get(one.claimed);
    one.unknown = !one.lost && (error.http === 0 || error.http >= 500);
    if (seen && (error.temporary || one.unknown)) {
      // No answer came, but the message did.
      this.#settleAs(one, seen.message.id);
      return seen.message;
    }
    this.#unclaim(one);
    one.state = "failed";
    one.error = error;
    this.#changed(one);
    return null;
  }

  /** @param {Pending} one */
  queue(one) {
    one.state = "queued";
    one.error = null;
    this.#changed(one);
  }

  /** @param {Pending} one */
  discard(one) {
    this.#unclaim(one);
    this.pending = this.pending.filter((other) => other !== one);
    this.#changed(one);
  }

  /** @param {Pending} one @param {string} messageId */
  #settleAs(one, messageId) {
    this.pending = this.pending.filter((other) => other !== one);
    const known = this.chat.records.get(messageId);
    if (known) {
      this.keys.set(messageId, one.key);
      this.chat.touch(known);
    }
    this.#changed(one);
  }

  /** @param {Pending} one */
  #unclaim(one) {
    if (one.claimed === null) return;
    const known = this.chat.records.get(one.claimed);
    this.keys.delete(one.claimed);
    one.claimed = null;
    if (known) this.chat.touch(known);
    this.#changed(one);
  }

  /** @param {Pending} one */
  #changed(one) {
    this.chat.shown = null;
    this.chat.news.row(one.key);
    this.chat.news.unread();
    if (one.draft.parent) this.chat.news.thread(one.draft.parent);
  }

  // ---- reactions and deletions -----------------------------------------------------------------

  /** @param {string} messageId @returns {Deed} */
  deed(messageId) {
    let deed = this.deeds.get(messageId);
    if (!deed) {
      deed = { reactions: [], deleting: false, error: null };
      this.deeds.set(messageId, deed);
    }
    return deed;
  }

  /** Something of the deed is another now. @param {string} messageId */
  deedChanged(messageId) {
    const deed = this.deeds.get(messageId);
    if (deed && deed.reactions.length === 0 && !deed.deleting && !deed.error) this.deeds.delete(messageId);
    const known = this.chat.records.get(messageId);
    if (known) this.chat.touch(known);
  }

  /** The row of a message, with what is being done to it. @param {Message} message @returns {Row} */
  dress(message) {
    const deed = this.deeds.get(message.id);
    const key = this.keyOf(message.id);
    if (!deed) return { key, message, state: "sent", error: null, busy: false };
    let shown = message;
    for (const { emoji, on } of deed.reactions) shown = reacted(shown, this.chat.me, emoji, on);
    if (deed.deleting && shown.tm_delete === "") {
      shown = { ...shown, text: "", medias: [], metadata: { reactions: [] }, tm_delete: now() };
    }
    return { key, message: shown, state: "sent", error: deed.error, busy: deed.reactions.length > 0 || deed.deleting };
  }
}

/** Whether a message could be what this one became. @param {Pending} one @param {Message} message */
function alike(one, message) {
  const { text = "", medias = [], parent } = one.draft;
  return (
    message.seq > one.after &&
    message.text === text &&
    message.medias.length === medias.length &&
    (message.parent_id ?? undefined) === (parent || undefined)
  );
}

/** @param {Message} message @param {string} me @param {string} emoji @param {boolean} on @returns {Message} */
function reacted(message, me, emoji, on) {
  const mine = (/** @type {{ emoji: string, owner_id: string }} */ one) => one.emoji === emoji && one.owner_id === me;
  const { reactions } = message.metadata;
  if (reactions.some(mine) === on || message.tm_delete !== "") return message;
  const added = { emoji, owner_type: /** @type {const} */ ("agent"), owner_id: me, tm_create: now() };
  return { ...message, metadata: { reactions: on ? [...reactions, added] : reactions.filter((one) => !mine(one)) } };
}

/** This moment as the wire writes it. */
export function now() {
  return new Date().toISOString().replace("T", " ").replace("Z", "000");
}
