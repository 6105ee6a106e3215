// Reading chats by REST into the model.
//
// Promises: what is read is merged as of when it was read: first the question with the newest event
// known, last a look at the chat, whose `seq` bounds what the answers can have seen. One fetch of a
// chat at a time; one that failed is tried again, later and later.
// @ts-check

import { TalkError, asTalkError, closed, impossible } from "./error.js";
import { Turns, pause, wait } from "./pace.js";

/** @import { Calls, Message } from "./index.js" */
/** @import { Answer } from "./chat-model.js" */
/** @import { Entry, Shelf } from "./shelf.js" */
/** @import { Http } from "./http.js" */
/** @import { ThreadModel } from "./thread-model.js" */

/** Rows of a page at most; the hub's bound. */
const PAGE_MOST = 100;
/** Times that a chat is read again at once because its history changed under the reading. */
const ATTEMPTS = 5;
/** Chats that are read at once. */
const AT_ONCE = 4;
/** Messages whose replies are counted anew at once. */
const DOUBTS_AT_ONCE = 20;
/** Milliseconds after which doubts are looked at, so that those of a burst go together. */
const DOUBTS_MS = 200;

export class Fetching {
  /**
   * @param {Shelf} shelf
   * @param {Calls} calls
   * @param {Http} http
   */
  constructor(shelf, calls, http) {
    this.shelf = shelf;
    this.calls = calls;
    this.http = http;
    this.turns = new Turns(AT_ONCE);
    /** Chats whose doubts are being settled. @type {Set<Entry>} */
    this.doubting = new Set();
  }

  /**
   * Brings the chat to where it is ready; resolves when it is, rejects when this try failed. The
   * chat goes out of the model when it is not the person's any more.
   * @param {Entry} entry
   * @returns {Promise<void>}
   */
  fetch(entry) {
    entry.fetch ??= this.turns
      .run(() => this.#fetch(entry))
      .finally(() => {
        entry.fetch = null;
        entry.reading = false;
        entry.model.news.facts();
      });
    return entry.fetch;
  }

  /** The same, with nobody waiting for it. @param {Entry} entry */
  fetchSoon(entry) {
    this.fetch(entry).catch(() => {});
  }

  /** @param {Entry} entry */
  async #fetch(entry) {
    entry.reading = true;
    entry.model.news.facts();
    try {
      for (let attempt = 1; entry.behind && !entry.gone; attempt += 1) {
        if (attempt > ATTEMPTS) throw impossible("CHANGES_TOO_FAST", "the chat changes faster than it can be read");
        if (entry.stale) await this.#newest(entry);
        await this.#threads(entry);
      }
      if (entry.gone) throw closed();
      entry.failures = 0;
      entry.error = null;
    } catch (error) {
      this.#failed(entry, asTalkError(error));
      throw error;
    }
  }

  /** @param {Entry} entry */
  async #newest(entry) {
    const { model } = entry;
    const size = Math.min(PAGE_MOST, this.shelf.options.keep.messages);
    await this.#read(entry, async () => {
      const [page, members] = await Promise.all([
        this.calls.listMessages({ chat_id: entry.id, page_size: size }),
        this.calls.listParticipants(entry.id),
      ]);
      const whole = page.result.length < size;
      return { rows: page.result, members, placed: true, fresh: true, reachesBeginning: whole };
    }).then((merged) => {
      if (!merged) return;
      entry.stale = false;
      entry.ready = true;
      // Deleted while nobody listened, it goes as it would have gone then.
      if (entry.chat.tm_delete !== "" && entry.users === 0) return this.shelf.drop(entry.id);
      this.shelf.show(entry);
      model.news.facts();
    });
    if (!entry.gone) await this.#settleOrphans(entry);
  }

  /** The open threads of a chat that was read anew. @param {Entry} entry */
  async #threads(entry) {
    for (const thread of [...entry.model.threads.values()]) {
      if (!thread.stale || entry.stale || entry.gone) continue;
      await this.thread(entry, thread).catch((error) => {
        if (!(error instanceof TalkError) || error.reason !== "TALK_MESSAGE_NOT_FOUND") throw error;
        // Its root was lost with the history that it was in; the chat goes on.
        thread.place([], true, true);
      });
    }
  }

  /**
   * Asks, looks how far the chat had come by then, and merges.
   * @param {Entry} entry
   * @param {() => Promise<Omit<Answer, "hi"> & { joins?: () => boolean }>} ask `joins`: whether, by the
   * time of merging, the rows still join on to those that are there
   * @param {(answer: Answer) => void} [merged]
   */
  async #read(entry, ask, merged) {
    const { model } = entry;
    const read = model.beginRead();
    try {
      const { joins, ...answer } = await ask();
      const chat = await this.calls.getChat(entry.id);
      if (joins && !joins()) return false;
      const taken = { ...answer, chat, hi: chat.seq };
      if (entry.gone || !model.merge(read, taken)) return false;
      merged?.(taken);
      this.settleDoubts(entry);
      return true;
    } finally {
      model.endRead();
    }
  }

  /** Tries again at once what failed and is to be had: the hub is back. */
  again() {
    for (const entry of this.shelf.entries.values()) if (entry.behind && entry.failures > 0) this.fetchSoon(entry);
  }

  /** The members only: what a direct chat is called by. @param {Entry} entry */
  async members(entry) {
    if (entry.model.members || entry.gone) return;
    await this.turns.run(() => this.#read(entry, async () => ({ members: await this.calls.listParticipants(entry.id) })));
  }

  /** @param {Entry} entry @param {TalkError} error */
  #failed(entry, error) {
    if (error.status === "PERMISSION_DENIED" || error.reason === "CHAT_NOT_FOUND") {
      this.shelf.drop(entry.id);
      return;
    }
    entry.error = error;
    entry.failures += 1;
    if (entry.gone || error.status === "CLOSED") return;
    const { firstMs, mostMs } = this.shelf.options.live;
    const ended = this.http.ended;
    wait(pause(entry.failures, firstMs, mostMs), ended).then(
      () => entry.behind && !entry.gone && this.fetchSoon(entry),
      () => {},
    );
  }

  /**
   * The page before the oldest message that is loaded.
   * @param {Entry} entry
   * @param {AbortSignal} [signal]
   * @returns {Promise<number>}
   */
  async older(entry, signal) {
    const { model } = entry;
    const oldest = model.timeline[0]?.message;
    if (model.reachesBeginning || !oldest) return 0;
    const most = this.shelf.keepOf(entry);
    if (model.timeline.length + PAGE_MOST > Math.max(most, PAGE_MOST * 2)) {
      throw impossible("TOO_MANY_LOADED", `no more than ${most} messages of a chat are kept`);
    }
    let count = 0;
    const done = await this.#read(entry, async () => {
      const asked = { chat_id: entry.id, page_token: oldest.tm_create, page_size: PAGE_MOST, signal };
      const page = await this.calls.listMessages(asked);
      count = page.result.length;
      // Let go of or read anew meanwhile, the rest is not what this page comes before.
      const joins = () => model.timeline[0]?.message.id === oldest.id;
      return { rows: page.result, placed: true, reachesBeginning: count < PAGE_MOST, joins };
    });
    return done ? count : 0;
  }

  /**
   * The newest replies of a thread, or the page before its oldest.
   * @param {Entry} entry
   * @param {ThreadModel} thread
   * @param {AbortSignal} [signal]
   */
  async thread(entry, thread, signal) {
    const { model } = entry;
    const fresh = thread.stale;
    const oldest = fresh ? undefined : thread.replies[0]?.message;
    if (!fresh && (thread.reachesBeginning || !oldest)) return 0;
    let count = 0;
    let whole = false;
    const asked = { parent_id: thread.rootId, page_token: oldest?.tm_create, page_size: PAGE_MOST, signal };
    const ask = async () => {
      const [page, root] = await Promise.all([
        this.calls.listMessages(asked),
        this.calls.getMessage(thread.rootId, { signal }),
      ]);
      count = page.result.length;
      whole = count < PAGE_MOST;
      const joins = () => fresh || (!thread.stale && thread.replies[0]?.message.id === oldest?.id);
      return { rows: [root, ...page.result], joins };
    };
    const done = await this.#read(entry, ask, ({ rows = [] }) => {
      const replies = rows.filter((one) => one.id !== thread.rootId).map((one) => model.records.get(one.id));
      thread.place(replies.filter((one) => one !== undefined), fresh, whole);
    });
    return done ? count : 0;
  }

  /** Counts replies anew where the counting is in doubt. @param {Entry} entry */
  settleDoubts(entry) {
    const { model } = entry;
    if (model.doubts.size === 0 || this.doubting.has(entry)) return;
    this.doubting.add(entry);
    const task = async () => {
      for (let tries = 0; model.doubts.size > 0 && !entry.gone; tries += 1) {
        await wait(Math.min(DOUBTS_MS * 2 ** tries, 10_000), this.http.ended);
        const ids = [...model.doubts].slice(0, DOUBTS_AT_ONCE);
        await this.#read(entry, async () => ({ rows: await this.#those(model.doubts, ids) }));
      }
    };
    task()
      .catch(() => {})
      .finally(() => this.doubting.delete(entry));
  }

  /** @param {Set<string>} doubts @param {string[]} ids @returns {Promise<Message[]>} */
  async #those(doubts, ids) {
    const found = await Promise.all(
      ids.map((id) =>
        this.calls.getMessage(id).catch((error) => {
          if (error instanceof TalkError && error.http === 404) doubts.delete(id);
          else throw error;
          return null;
        }),
      ),
    );
    return found.filter((one) => one !== null);
  }

  /**
   * Messages that were acknowledged and then lost with the history they were in. @param {Entry} entry
   */
  async #settleOrphans(entry) {
    for (const one of entry.model.outgoing.pending.filter((pending) => pending.settled)) {
      const { message, lost } = await this.calls.getMessage(one.settled?.id ?? "").then(
        (message) => ({ message, lost: false }),
        (error) => ({ message: null, lost: error instanceof TalkError && error.http === 404 }),
      );
      // Its event lies before where the history goes on for us, and will not come.
      if (message && message.seq <= entry.model.seq && one.settled) entry.model.outgoing.settle(one, message);
      if (!message && lost && one.settled) {
        one.settled = null;
        one.lost = true;
        entry.model.outgoing.fail(one, impossible("HISTORY_REWRITTEN", "the hub lost this message; send it again"));
      }
    }
  }
}
