// One chat: the fold of what REST told and of the events since. Pure: no network, no timers.
//
// Promises: with every event applied in order and every answer merged, at any moment and in any
// order of answers, the chat is equal to the server's. It holds because an answer was read between
// two known numbers of events: it is merged as what it was, and the events since its asking are
// folded in again, which changes nothing that it contains already.
//
// An event that is not the next one is not taken: the caller resumes.
// @ts-check

import { News } from "./changes.js";
import { Outgoing } from "./outgoing.js";
import { countReply, insert, placeOf, record, renew, whole } from "./records.js";
import { ThreadModel } from "./thread-model.js";

/** @import { Chat, Message, Participant, Row } from "./index.js" */
/** @import { Record } from "./records.js" */

/**
 * @typedef {object} ChatEvent
 * @property {string} type
 * @property {any} data
 * @property {string} chat_id
 * @property {number} seq
 * @property {string} cursor
 */

/** @typedef {{ lo: number, epoch: number }} Read a question under way: asked when `lo` was the newest event */

/**
 * What a read brought. `hi`: the newest event when it was over.
 * @typedef {object} Answer
 * @property {number} hi
 * @property {Message[]} [rows] in any order
 * @property {boolean} [placed] whether they belong to the timeline, without a hole to what is there
 * @property {boolean} [reachesBeginning]
 * @property {boolean} [fresh] whether they stand for all there was
 * @property {Chat} [chat]
 * @property {Participant[]} [members]
 */

export class ChatModel {
  /**
   * @param {Chat} chat
   * @param {string} me
   * @param {{ onNews: () => void, onQueued?: () => void, logMost: number }} how
   */
  constructor(chat, me, how) {
    this.id = chat.id;
    this.me = me;
    this.facts = chat;
    /** Number of the event up to which `facts.member_count` counts. */
    this.factsSeq = chat.seq;
    this.seq = chat.seq;
    this.cursor = chat.cursor;
    /** @type {Map<string, Participant> | null} */
    this.members = null;
    /** @type {Map<string, Record>} */
    this.records = new Map();
    /** Without a hole up to the newest. @type {Record[]} */
    this.timeline = [];
    /** Every message after the event of this number is in the timeline. */
    this.from = chat.seq;
    /** The newest message, while the timeline is not loaded. @type {Record | null} */
    this.preview = null;
    /** @type {Map<string, ThreadModel>} */
    this.threads = new Map();
    /** @type {Set<string>} */
    this.doubts = new Set();
    this.readSeq = 0;
    /** Grows when the history is another than before; answers of before count for nothing. */
    this.epoch = 0;
    this.reads = 0;
    /** Events since the oldest read under way. @type {ChatEvent[]} */
    this.log = [];
    this.logMost = how.logMost;
    this.news = new News(how.onNews);
    this.outgoing = new Outgoing(this, how.onQueued);
    /** @type {Row[] | null} */
    this.shown = null;
  }

  // ---- what is shown ---------------------------------------------------------------------------

  get reachesBeginning() {
    return this.from === 0;
  }

  /** The chat as the hub has it after the newest event applied. @returns {Chat} */
  get chat() {
    const { joined: _, ...facts } = this.facts;
    return { ...facts, seq: this.seq, cursor: this.cursor };
  }

  /** @returns {Row[]} */
  get rows() {
    this.shown ??= [...this.timeline.map((known) => this.row(known)), ...this.outgoing.rows()];
    return this.shown;
  }

  /** @param {Record} known @returns {Row} */
  row(known) {
    known.row ??= this.outgoing.dress(whole(known));
    return known.row;
  }

  /** @returns {Row | null} */
  get newest() {
    const known = this.timeline.at(-1) ?? this.preview;
    return this.outgoing.rows().at(-1) ?? (known ? this.row(known) : null);
  }

  get unread() {
    let count = 0;
    for (let place = this.timeline.length - 1; place >= 0; place -= 1) {
      const message = this.timeline[place]?.message;
      if (!message || message.seq <= this.readSeq) break;
      if (message.owner_id !== this.me && message.type === "normal" && message.tm_delete === "") count += 1;
    }
    return count;
  }

  get unreadMore() {
    return this.readSeq < this.from;
  }

  // ---- events ----------------------------------------------------------------------------------

  /**
   * @param {ChatEvent} event
   * @returns {boolean} `false`: it is not the next one, and was not taken
   */
  apply(event) {
    if (event.seq !== this.seq + 1) return false;
    this.seq = event.seq;
    this.cursor = event.cursor;
    if (this.reads > 0) this.log.push(event);
    // Whoever reads so long that this is too much reads again.
    if (this.log.length > this.logMost) {
      this.epoch += 1;
      this.log = [];
    }
    this.#fold(event);
    return true;
  }

  /** Once, or again: what is known already changes nothing. @param {ChatEvent} event */
  #fold(event) {
    const { data, seq } = event;
    switch (event.type) {
      case "chat_created":
      case "chat_updated":
      case "chat_deleted":
        this.#takeFacts(data);
        break;
      case "chatparticipant_added":
        this.#added(data, seq);
        break;
      case "chatparticipant_removed":
        this.#removed(data, seq);
        break;
      case "chatmessage_created":
        this.#created(data, seq);
        break;
      default: {
        // A deletion or reactions, or what a newer hub tells of a message.
        const known = this.records.get(data?.id);
        if (known && data.metadata) this.take(known, data);
      }
    }
    this.factsSeq = Math.max(this.factsSeq, seq);
  }

  /** @param {Chat} data */
  #takeFacts(data) {
    if (data.tm_update < this.facts.tm_update) return;
    const { name, detail, tm_update, tm_delete } = data;
    this.facts = { ...this.facts, name, detail, tm_update, tm_delete };
    this.news.facts();
  }

  /** @param {Participant} data @param {number} seq */
  #added(data, seq) {
    if (seq > this.factsSeq) this.#countMembers(1);
    const known = this.members?.get(data.owner_id);
    if (!this.members || (known && known.tm_joined >= data.tm_joined)) return;
    this.members.set(data.owner_id, data);
    this.news.members();
  }

  /** @param {Participant} data @param {number} seq */
  #removed(data, seq) {
    if (seq > this.factsSeq) this.#countMembers(-1);
    if (this.members?.get(data.owner_id)?.id !== data.id) return;
    this.members.delete(data.owner_id);
    this.news.members();
  }

  /** @param {1 | -1} by */
  #countMembers(by) {
    this.facts = { ...this.facts, member_count: this.facts.member_count + by };
    this.news.facts();
  }

  /** @param {Message} data @param {number} seq */
  #created(data, seq) {
    let known = this.records.get(data.id);
    if (!known) {
      known = record(data, 0, seq, seq);
      this.records.set(data.id, known);
      this.outgoing.claim(data);
    } else if (known.lo < seq) {
      // REST told of it while its event was on the way: from here on its replies are heard of.
      Object.assign(known, { count: 0, lo: seq, hi: seq, doubt: false, row: null });
      this.doubts.delete(data.id);
    }
    if (insert(this.timeline, known)) this.touch(known);
    const parent = data.parent_id ? this.records.get(data.parent_id) : undefined;
    if (parent && countReply(parent, seq)) this.touch(parent);
    if (parent?.doubt) this.doubts.add(parent.message.id);
    if (data.parent_id && this.threads.get(data.parent_id)?.insert(known)) this.news.thread(data.parent_id);
    this.news.unread();
  }

  /** Takes what REST or an event says of a known message, if it is newer. @param {Record} known @param {Message} message */
  take(known, message) {
    if (renew(known, message)) this.touch(known);
  }

  /** The row of this message is another now. @param {Record} known */
  touch(known) {
    known.row = null;
    this.shown = null;
    this.news.row(this.outgoing.keyOf(known.message.id));
    this.news.unread();
    for (const thread of this.threads.values()) if (thread.has(known)) this.news.thread(thread.rootId);
  }

  // ---- answers of REST -------------------------------------------------------------------------

  /** @returns {Read} */
  beginRead() {
    this.reads += 1;
    return { lo: this.seq, epoch: this.epoch };
  }

  /** Every read that began ends, whatever came of it. */
  endRead() {
    this.reads -= 1;
    if (this.reads === 0) this.log = [];
  }

  /**
   * Merges what was read, before `endRead`.
   * @param {Read} read
   * @param {Answer} answer
   * @returns {boolean} `false`: the history is another one meanwhile; ask again
   */
  merge(read, answer) {
    if (read.epoch !== this.epoch) return false;
    if (answer.fresh) this.#empty(read.lo);
    if (answer.chat) {
      this.facts = answer.chat;
      this.factsSeq = answer.chat.seq;
      this.news.facts();
    }
    if (answer.members) {
      this.members = new Map(answer.members.map((member) => [member.owner_id, member]));
      this.news.members();
    }
    const added = [];
    for (const message of answer.rows ?? []) {
      const known = this.#read(message, read.lo, answer.hi);
      if (known && answer.placed) added.push(known);
    }
    if (answer.placed) this.#place(added, answer.reachesBeginning === true);
    // Chats and messages of the answer may be older than what came meanwhile.
    for (const event of this.log) if (event.seq > read.lo) this.#fold(event);
    if (answer.fresh) this.outgoing.keepOnly(this.records);
    return true;
  }

  /** @param {Message} message @param {number} lo @param {number} hi */
  #read(message, lo, hi) {
    // Its own event is on the way, and will bring it.
    if (message.seq > this.seq) return null;
    const known = this.records.get(message.id);
    if (!known) {
      const fresh = record(message, message.reply_count ?? 0, lo, hi);
      this.records.set(message.id, fresh);
      this.outgoing.claim(message);
      return fresh;
    }
    this.take(known, message);
    if (known.doubt || known.hi > Math.max(known.lo, hi)) {
      Object.assign(known, { count: message.reply_count ?? 0, lo, hi: Math.max(lo, hi), doubt: false });
      this.doubts.delete(message.id);
      this.touch(known);
    }
    return known;
  }

  /** @param {Record[]} added @param {boolean} reachesBeginning */
  #place(added, reachesBeginning) {
    this.timeline = [...new Set([...added, ...this.timeline])].sort((a, b) => a.message.seq - b.message.seq);
    const oldest = this.timeline[0]?.message.seq ?? Infinity;
    this.from = reachesBeginning ? 0 : Math.min(this.from, oldest - 1);
    for (const known of added) this.news.row(this.outgoing.keyOf(known.message.id));
    this.shown = null;
    this.preview = null;
    this.news.facts();
    this.news.unread();
  }

  /**
   * The history goes on from here and is to be read anew: what is shown stays until it is.
   * @param {number} seq
   * @param {string} cursor
   */
  rebase(seq, cursor) {
    this.epoch += 1;
    this.log = [];
    this.seq = seq;
    this.cursor = cursor;
    this.news.facts();
  }

  /** Forgets all messages: those of a fresh page follow. @param {number} seq */
  #empty(seq) {
    this.records.clear();
    this.doubts.clear();
    this.timeline = [];
    this.preview = null;
    this.from = seq;
    this.shown = null;
    for (const thread of this.threads.values()) thread.stale = true;
    this.news.reset();
  }

  /** What the list of chats shows before the chat is loaded. @param {Message} message */
  show(message) {
    if (this.timeline.length > 0 || message.seq > this.seq || this.records.has(message.id)) return;
    const before = this.preview?.message;
    if (before && before.seq > message.seq) return;
    if (before) this.records.delete(before.id);
    this.preview = record(message, message.reply_count ?? 0, 0, Infinity);
    this.records.set(message.id, this.preview);
    this.news.unread();
  }

  // ---- bounds and marks ------------------------------------------------------------------------

  /** Keeps the newest so many messages, once there are a quarter more. @param {number} most */
  trim(most) {
    if (this.timeline.length <= most * 1.25) return;
    const gone = this.timeline.splice(0, this.timeline.length - most);
    this.from = (this.timeline[0]?.message.seq ?? this.seq + 1) - 1;
    this.shown = null;
    for (const known of gone) {
      this.news.row(this.outgoing.keyOf(known.message.id));
      this.forget(known);
    }
    this.news.facts();
  }

  /** Lets go of a message that is neither in the timeline nor in a thread. @param {Record} known */
  forget(known) {
    const { id, seq } = known.message;
    if (this.timeline[placeOf(this.timeline, seq)] === known) return;
    for (const thread of this.threads.values()) if (thread.has(known)) return;
    this.records.delete(id);
    this.doubts.delete(id);
    this.outgoing.forget(id);
  }

  /** @param {number} seq */
  markRead(seq) {
    if (seq <= this.readSeq) return false;
    this.readSeq = seq;
    this.news.unread();
    return true;
  }
}
