// What the hub tells over the live connection, into the model.
//
// Promises: every event is taken once and in order, or the caller is told to resume; a chat whose
// history the hub cannot go on with is read anew, and only that one.
// @ts-check

/** @import { Agent, Chat } from "./index.js" */
/** @import { ChatEvent } from "./chat-model.js" */
/** @import { Fetching } from "./fetching.js" */
/** @import { Entry, Shelf } from "./shelf.js" */

/** @typedef {{ seq: number, cursor: string, recovered: boolean, reason?: string }} Resumed */

export class Following {
  /**
   * @param {Shelf} shelf
   * @param {Fetching} fetching
   */
  constructor(shelf, fetching) {
    this.shelf = shelf;
    this.fetching = fetching;
    /** Chats whose cursor the hub was not told yet: their events do not count. @type {Set<string>} */
    this.unasked = new Set();
  }

  /** Where the model stands, chat by chat. @returns {Array<[chatId: string, cursor: string]>} */
  begin() {
    const cursors = [...this.shelf.entries.values()].map((entry) => /** @type {[string, string]} */ ([entry.id, entry.model.cursor]));
    this.unasked = new Set(cursors.map(([chat]) => chat));
    return cursors;
  }

  /**
   * The answer to a subscription.
   * @param {string[]} asked chats whose cursors went with it
   * @param {Record<string, Resumed>} chats
   */
  resumed(asked, chats) {
    for (const id of asked) {
      this.unasked.delete(id);
      const state = chats[id];
      if (!state) this.shelf.drop(id);
      else if (!state.recovered) this.#rewritten(id, state);
    }
    for (const [id, state] of Object.entries(chats)) {
      if (!this.shelf.entries.has(id)) this.#arrived(id, state.seq, state.cursor);
    }
  }

  /**
   * @param {any} frame
   * @returns {boolean} `false`: an event is missing or came twice; resume
   */
  take(frame) {
    if (frame.type === "agent_status_updated") {
      this.shelf.takeAgent(/** @type {Agent} */ (frame.data));
      return true;
    }
    if (frame.type === "resync") {
      if (!this.unasked.has(frame.chat_id)) this.#rewritten(frame.chat_id, frame);
      return true;
    }
    if (typeof frame.chat_id !== "string" || this.unasked.has(frame.chat_id)) return true;
    return this.#event(/** @type {ChatEvent} */ (frame));
  }

  /** @param {ChatEvent} event */
  #event(event) {
    const entry = this.shelf.entries.get(event.chat_id);
    const about = event.data?.owner_id === this.shelf.me?.id;
    if (!entry) {
      // What else comes of a chat that is not here is the end of one that was left.
      const begins = event.type === "chat_created" || (event.type === "chatparticipant_added" && about);
      if (begins) this.#arrived(event.chat_id, event.seq, event.cursor, event.seq);
      return true;
    }
    if (!entry.model.apply(event)) return false;
    if (event.type === "chatparticipant_removed" && about) this.shelf.drop(entry.id);
    else if (event.type === "chat_deleted" && entry.users === 0) this.shelf.drop(entry.id);
    else this.#after(entry);
    return true;
  }

  /** @param {Entry} entry */
  #after(entry) {
    entry.model.trim(this.shelf.keepOf(entry));
    if (entry.model.doubts.size > 0) this.fetching.settleDoubts(entry);
  }

  /**
   * A chat that the model does not have yet: it is shown once the rest of it has been read.
   * @param {string} id
   * @param {number} seq
   * @param {string} cursor
   * @param {number} [since] the person was taken in by this event: what was said before is not news
   */
  #arrived(id, seq, cursor, since) {
    /** @type {Chat} */
    const unknown = {
      id,
      customer_id: "",
      type: "group",
      name: "",
      detail: "",
      member_count: 0,
      tm_create: "",
      tm_update: "",
      tm_delete: "",
      seq,
      cursor,
    };
    this.fetching.fetchSoon(this.shelf.add(unknown, false, since));
  }

  /** @param {string} id @param {{ seq: number, cursor: string }} from */
  #rewritten(id, from) {
    const entry = this.shelf.entries.get(id);
    if (!entry) return this.#arrived(id, from.seq, from.cursor);
    entry.model.rebase(from.seq, from.cursor);
    entry.stale = true;
    // Also one that nobody looks at: what the list of chats says of it is to be true.
    this.fetching.fetchSoon(entry);
  }
}
