// What the model holds: the person, the colleagues, the chats, and who is told of changes.
// @ts-check

import { Herald } from "./changes.js";
import { ChatModel } from "./chat-model.js";
import { Marks } from "./marks.js";

/** @import { Agent, Chat, ChatView, Row, TalkError } from "./index.js" */
/** @import { Settled } from "./options.js" */

/** A chat as it is shown. @implements {ChatView} */
export class Entry {
  /**
   * @param {Shelf} shelf
   * @param {Chat} chat
   */
  constructor(shelf, chat) {
    const onNews = () => shelf.herald.note({ chat: [chat.id, this.model.news] });
    const onQueued = () => shelf.onQueued(this);
    this.model = new ChatModel(chat, shelf.me?.id ?? "", { onNews, onQueued, logMost: shelf.options.live.waitingEvents });
    this.ready = false;
    /** Whether it is being read now. */
    this.reading = false;
    /** @type {TalkError | null} */
    this.error = null;
    /** How often it is open. */
    this.users = 0;
    /** Whether its history has to be read anew. */
    this.stale = true;
    /** @type {Promise<void> | null} */
    this.fetch = null;
    /** Fetches that failed one after the other. */
    this.failures = 0;
    this.gone = false;
  }

  get id() {
    return this.model.id;
  }
  /** Whether something of it has to be read anew: itself or an open thread. */
  get behind() {
    return this.stale || [...this.model.threads.values()].some((thread) => thread.stale);
  }
  get fetching() {
    return this.reading || (this.stale && this.ready);
  }
  get chat() {
    return this.model.chat;
  }
  get members() {
    return this.model.members;
  }
  get rows() {
    return this.model.rows;
  }
  get reachesBeginning() {
    return this.model.reachesBeginning;
  }
  get newest() {
    return this.model.newest;
  }
  get readSeq() {
    return this.model.readSeq;
  }
  get unread() {
    return this.model.unread;
  }
  get unreadMore() {
    return this.model.unreadMore;
  }
}

export class Shelf {
  /** @param {Settled} options */
  constructor(options) {
    this.options = options;
    this.herald = new Herald();
    /** @type {Agent | null} */
    this.me = null;
    /** @type {Map<string, Agent>} */
    this.agents = new Map();
    /** All that are followed. @type {Map<string, Entry>} */
    this.entries = new Map();
    /** Those that are shown: the ones followed whose facts are known. @type {Map<string, Entry>} */
    this.chats = new Map();
    /** Who hears at once of entries that come. @type {Set<(entry: Entry) => void>} */
    this.added = new Set();
    /** @type {Marks | null} */
    this.marks = null;
    /** A message of this chat waits to be sent again. @type {(entry: Entry) => void} */
    this.onQueued = () => {};
  }

  /** @param {Agent} me */
  begin(me) {
    if (this.me && this.me.id !== me.id) this.clear();
    this.me = me;
    this.marks ??= new Marks(this.options.storage, me.id, (chat, seq) => this.entries.get(chat)?.model.markRead(seq));
    this.takeAgent(me);
    this.herald.note({ me: true });
  }

  clear() {
    this.marks?.end();
    this.marks = null;
    this.me = null;
    this.agents.clear();
    for (const entry of this.entries.values()) entry.gone = true;
    this.entries.clear();
    this.chats.clear();
    this.herald.note({ list: true, me: true });
  }

  /**
   * A chat that is followed from here on.
   * @param {Chat} chat `seq` and `cursor`: from where
   * @param {boolean} known whether the rest of it is the truth, so that it can be shown
   * @param {number} [since] what lies before is old to somebody who has never read in it
   */
  add(chat, known, since = 0) {
    const entry = new Entry(this, chat);
    this.entries.set(chat.id, entry);
    const mark = this.marks?.get(chat.id) ?? (this.marks?.first && known ? chat.seq : since);
    entry.model.readSeq = mark;
    // Kept at once: what counts as read today must not be unread tomorrow.
    if (mark > 0) this.marks?.set(chat.id, mark);
    if (known) this.show(entry);
    for (const hear of this.added) hear(entry);
    return entry;
  }

  /** @param {Entry} entry */
  show(entry) {
    if (this.chats.has(entry.id) || entry.gone) return;
    this.chats.set(entry.id, entry);
    this.herald.note({ list: true });
  }

  /** @param {string} chatId */
  drop(chatId) {
    const entry = this.entries.get(chatId);
    if (!entry) return;
    entry.gone = true;
    this.entries.delete(chatId);
    this.marks?.forget(chatId);
    this.chats.delete(chatId);
    this.herald.note({ list: true });
  }

  /** Takes what is newer of a colleague. @param {Agent} agent */
  takeAgent(agent) {
    const known = this.agents.get(agent.id);
    if (known && known.tm_update > agent.tm_update) return;
    this.agents.set(agent.id, agent);
    if (agent.id === this.me?.id) {
      this.me = agent;
      this.herald.note({ me: true });
    }
    this.herald.note({ agent: agent.id });
  }

  /** A colleague that there is no more. @param {string} agentId */
  dropAgent(agentId) {
    if (agentId !== this.me?.id && this.agents.delete(agentId)) this.herald.note({ agent: agentId });
  }

  /** How many messages are kept of it. @param {Entry} entry */
  keepOf(entry) {
    return entry.users > 0 ? this.options.keep.openMessages : this.options.keep.messages;
  }

  /** @param {string} chatId @param {string} keyOrId @returns {Row | null} */
  row(chatId, keyOrId) {
    const model = this.entries.get(chatId)?.model;
    if (!model) return null;
    const known = model.records.get(keyOrId);
    return known ? model.row(known) : (model.rows.find((row) => row.key === keyOrId) ?? null);
  }
}
