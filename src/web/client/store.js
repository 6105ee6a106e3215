// The model as its users see it: what can be looked at, and what can be asked of it.
// @ts-check

import { TalkError, impossible } from "./error.js";
import { every } from "./calls.js";
import { unless } from "./pace.js";
import { ThreadModel } from "./thread-model.js";

/** @import { Agent, Aborting, Calls, ChatCreate, ChatView, Changes, Draft, Message, Store as Surface, Thread } from "./index.js" */
/** @import { Fetching } from "./fetching.js" */
/** @import { Sending } from "./sending.js" */
/** @import { Entry, Shelf } from "./shelf.js" */

/** Pages of newest messages over all chats that are read at the start, for the list of chats. */
const PREVIEW_PAGES = 3;

/** @implements {Surface} */
export class Store {
  #shelf;
  #calls;
  #fetching;
  #sending;

  /**
   * @param {Shelf} shelf
   * @param {Calls} calls
   * @param {Fetching} fetching
   * @param {Sending} sending
   */
  constructor(shelf, calls, fetching, sending) {
    this.#shelf = shelf;
    this.#calls = calls;
    this.#fetching = fetching;
    this.#sending = sending;
  }

  get me() {
    return this.#shelf.me;
  }

  /** @returns {ReadonlyMap<string, Agent>} */
  get agents() {
    return this.#shelf.agents;
  }

  /** @returns {ReadonlyMap<string, ChatView>} */
  get chats() {
    return this.#shelf.chats;
  }

  /** @param {(changes: Changes) => void} listener */
  subscribe(listener) {
    return this.#shelf.herald.subscribe(listener);
  }

  // ---- looking ---------------------------------------------------------------------------------

  /** @param {string} chatId @param {Aborting} [how] @returns {Promise<ChatView>} */
  async open(chatId, how = {}) {
    const entry = this.#entry(chatId);
    entry.users += 1;
    try {
      if (!entry.ready) await unless(this.#fetching.fetch(entry), how.signal);
    } catch (error) {
      this.#leave(entry);
      throw error;
    }
    return entry;
  }

  /** @param {string} chatId */
  close(chatId) {
    const entry = this.#shelf.entries.get(chatId);
    if (entry && entry.users > 0) this.#leave(entry);
  }

  /** @param {Entry} entry */
  #leave(entry) {
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.model.trim(this.#shelf.keepOf(entry));
    if (entry.chat.tm_delete !== "") this.#shelf.drop(entry.id);
  }

  /** @param {string} chatId @param {Aborting} [how] */
  async loadOlder(chatId, how = {}) {
    return this.#fetching.older(this.#entry(chatId), how.signal);
  }

  /** @param {string} messageId @param {string} chatId @param {Aborting} [how] @returns {Promise<Thread>} */
  async openThread(messageId, chatId, how = {}) {
    const entry = this.#entry(chatId);
    const { model } = entry;
    const thread = model.threads.get(messageId) ?? new ThreadModel(model, messageId, this.#shelf.options.keep.openMessages);
    model.threads.set(messageId, thread);
    thread.users += 1;
    const close = () => this.#closeThread(entry, thread);
    try {
      for (let tries = 0; thread.stale && tries < 3; tries += 1) await this.#fetching.thread(entry, thread, how.signal);
    } catch (error) {
      close();
      throw error;
    }
    let open = true;
    return {
      chatId,
      messageId,
      get root() {
        return thread.root;
      },
      get rows() {
        return thread.rows;
      },
      get reachesBeginning() {
        return thread.reachesBeginning;
      },
      loadOlder: (older = {}) => this.#fetching.thread(entry, thread, older.signal),
      close() {
        if (open) close();
        open = false;
      },
    };
  }

  /** @param {Entry} entry @param {ThreadModel} thread */
  #closeThread({ model }, thread) {
    thread.users -= 1;
    if (thread.users > 0) return;
    model.threads.delete(thread.rootId);
    const root = model.records.get(thread.rootId);
    for (const known of root ? [root, ...thread.replies] : thread.replies) model.forget(known);
  }

  /** @param {string} chatId @param {string} keyOrId */
  row(chatId, keyOrId) {
    return this.#shelf.row(chatId, keyOrId);
  }

  // ---- doing -----------------------------------------------------------------------------------

  /** @param {string} chatId @param {Draft} draft */
  send(chatId, draft) {
    return this.#sending.send(this.#entry(chatId), draft);
  }

  /** @param {string} chatId @param {string} key */
  retry(chatId, key) {
    return this.#sending.retry(this.#entry(chatId), key);
  }

  /** @param {string} chatId @param {string} key */
  discard(chatId, key) {
    this.#sending.discard(this.#entry(chatId), key);
  }

  /** @param {string} chatId @param {string} messageId @param {string} emoji @param {boolean} on */
  async react(chatId, messageId, emoji, on) {
    await this.#sending.react(this.#entry(chatId), messageId, emoji, on);
  }

  /** @param {string} chatId @param {string} messageId */
  async remove(chatId, messageId) {
    await this.#sending.remove(this.#entry(chatId), messageId);
  }

  /** @param {ChatCreate} chat @param {Aborting} [how] */
  async createChat(chat, how = {}) {
    return this.#arrival(() => this.#calls.createChat(chat, how).then(({ id }) => id), how.signal);
  }

  /** @param {string} chatId @param {Aborting} [how] */
  async join(chatId, how = {}) {
    return this.#arrival(() => this.#calls.joinChat(chatId, how).then(() => chatId), how.signal);
  }

  /** @param {string} chatId @param {Aborting} [how] */
  async leave(chatId, how = {}) {
    const mine = await this.#membership(chatId, how);
    if (mine) await this.#calls.removeParticipant(chatId, mine.id, how).catch(unlessGone);
    // Taken in again meanwhile, the person has another membership, and the chat stays.
    const entry = this.#shelf.entries.get(chatId);
    const now = entry?.members?.get(this.me?.id ?? "");
    if (entry && (!now || now.id === mine?.id)) this.#shelf.drop(chatId);
  }

  /** @param {string} chatId @param {Aborting} how */
  async #membership(chatId, how) {
    const me = this.me?.id ?? "";
    const known = this.#entry(chatId).members?.get(me);
    if (known) return known;
    const members = await this.#calls.listParticipants(chatId, how);
    return members.find((member) => member.owner_id === me);
  }

  /**
   * The chat that is made so, once its event or the next answer of the live connection has brought it.
   * @param {() => Promise<string>} make gives its id
   * @param {AbortSignal} [signal]
   * @returns {Promise<ChatView>}
   */
  async #arrival(make, signal) {
    const { ended } = this.#fetching.http;
    const { entries, added } = this.#shelf;
    /** Those that come from here on: one can be gone again before the answer is here. @type {Map<string, Entry>} */
    const came = new Map();
    const see = (/** @type {Entry} */ entry) => void came.set(entry.id, entry);
    added.add(see);
    let stop = () => {};
    try {
      const chatId = await make();
      const there = entries.get(chatId);
      // Once: what fails is tried again by itself, later and later.
      if (there && !there.ready && there.failures === 0) this.#fetching.fetchSoon(there);
      /** @type {Promise<ChatView>} */
      const arrived = new Promise((resolve, reject) => {
        const look = () => {
          const entry = entries.get(chatId) ?? came.get(chatId) ?? there;
          if (entry?.gone) reject(impossible("NOT_IN_MODEL", "the chat went out of the model meanwhile"));
          else if (entry?.ready) resolve(entry);
        };
        stop = this.subscribe(look);
        look();
      });
      return await unless(arrived, ended, signal);
    } finally {
      stop();
      added.delete(see);
    }
  }

  /** @param {string} chatId @param {number} [seq] */
  markRead(chatId, seq) {
    const { model } = this.#entry(chatId);
    const to = Math.min(seq ?? model.seq, model.seq);
    if (model.markRead(to)) this.#shelf.marks?.set(chatId, to);
  }

  // ---- the start -------------------------------------------------------------------------------

  /** Reads what the model begins with: the chats with their cursors, and the newest messages. @param {Aborting} how */
  async load(how) {
    if (this.#shelf.entries.size > 0) return;
    const chats = [];
    for await (const chat of every(this.#calls.listChats, how)) chats.push(chat);
    for (const chat of chats) if (!this.#shelf.entries.has(chat.id)) this.#shelf.add(chat, true);
    this.#shelf.herald.note({ list: true });
  }

  /** What is good to have soon; nobody waits for it. */
  async preload() {
    const { entries, options } = this.#shelf;
    let pages = 0;
    let page_token = "";
    /** @type {Set<string>} */
    const recent = new Set();
    do {
      /** @type {{ result: Message[], next_page_token: string }} */
      const page = await this.#calls.listMessages({ page_token });
      for (const message of page.result) {
        entries.get(message.chat_id)?.model.show(message);
        recent.add(message.chat_id);
      }
      page_token = page.result.length < 100 ? "" : page.next_page_token;
      pages += 1;
    } while (page_token && pages < PREVIEW_PAGES);
    const wanted = new Set([...recent, ...entries.keys()]);
    for (const id of [...wanted].slice(0, options.keep.preload)) {
      const entry = entries.get(id);
      if (entry && !entry.ready) await this.#fetching.fetch(entry).catch(() => {});
    }
    for (const entry of [...entries.values()].filter(({ chat }) => chat.type === "direct")) {
      await this.#fetching.members(entry).catch(() => {});
    }
  }

  /** All colleagues anew: what became of them while nobody listened was not told. */
  async colleagues() {
    const gone = new Set(this.agents.keys());
    for await (const agent of every(this.#calls.listColleagues)) {
      this.#shelf.takeAgent(agent);
      gone.delete(agent.id);
    }
    for (const id of gone) this.#shelf.dropAgent(id);
  }

  /** @param {string} chatId */
  #entry(chatId) {
    const entry = this.#shelf.entries.get(chatId);
    if (!entry) throw impossible("NOT_IN_MODEL", "there is no such chat in the model");
    return entry;
  }
}

/** @param {unknown} error */
function unlessGone(error) {
  if (!(error instanceof TalkError) || error.http !== 404) throw error;
}
