// The replies to one message, oldest first. Its records are those of the chat, so that a change is
// seen in both places. Pure.
// @ts-check

import { insert, placeOf } from "./records.js";

/** @import { Row } from "./index.js" */
/** @import { Record } from "./records.js" */
/** @import { ChatModel } from "./chat-model.js" */

export class ThreadModel {
  /**
   * @param {ChatModel} chat
   * @param {string} rootId
   * @param {number} most replies that are kept; older ones are read again
   */
  constructor(chat, rootId, most) {
    this.chat = chat;
    this.most = most;
    this.rootId = rootId;
    /** @type {Record[]} */
    this.replies = [];
    /** Whether the first reply is here. */
    this.reachesBeginning = false;
    /** Whether its chat was read anew, so that it has to be too. */
    this.stale = true;
    this.users = 0;
  }

  /** @returns {Row[]} */
  get rows() {
    return [...this.replies.map((known) => this.chat.row(known)), ...this.chat.outgoing.rows(this.rootId)];
  }

  /** @returns {Row | null} */
  get root() {
    const known = this.chat.records.get(this.rootId);
    return known ? this.chat.row(known) : null;
  }

  /** A reply came. @param {Record} known */
  insert(known) {
    const came = insert(this.replies, known);
    if (this.replies.length > this.most * 1.25) {
      const gone = this.replies.splice(0, this.replies.length - this.most);
      this.reachesBeginning = false;
      for (const one of gone) this.chat.forget(one);
    }
    return came;
  }

  /** @param {Record} known */
  has(known) {
    const { id, seq } = known.message;
    return id === this.rootId || this.replies[placeOf(this.replies, seq)] === known;
  }

  /**
   * Replies that were read; `fresh` ones stand for all there were.
   * @param {Record[]} read
   * @param {boolean} fresh
   * @param {boolean} reachesBeginning
   */
  place(read, fresh, reachesBeginning) {
    if (fresh) {
      // What came since the page was read is behind its newest.
      const known = this.chat.timeline.filter((one) => one.message.parent_id === this.rootId);
      const oldest = Math.min(...read.map((one) => one.message.seq));
      this.replies = reachesBeginning ? known : known.filter((one) => one.message.seq > oldest);
      this.reachesBeginning = false;
      this.stale = false;
    }
    for (const one of read) insert(this.replies, one);
    this.reachesBeginning ||= reachesBeginning;
    this.chat.news.thread(this.rootId);
  }
}
