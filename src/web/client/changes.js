// What changed, gathered until somebody looks: once a frame of the screen, or once a turn in Node.
// Promises: a listener is called at most once for all that happened meanwhile; one that throws
// keeps no other from being called.
// @ts-check

/** @import { ChatChange, Changes } from "./index.js" */

/** What changed in one chat since it was last taken. */
export class News {
  /** @param {() => void} onNews */
  constructor(onNews) {
    this.onNews = onNews;
    this.change = nothing();
    /** @type {Set<string>} */
    this.threads = new Set();
  }

  facts() {
    this.change.facts = true;
    this.onNews();
  }

  members() {
    this.change.members = true;
    this.onNews();
  }

  unread() {
    this.change.unread = true;
    this.onNews();
  }

  reset() {
    this.change.reset = true;
    this.change.unread = true;
    this.onNews();
  }

  /** @param {string} key */
  row(key) {
    this.change.rows.add(key);
    this.onNews();
  }

  /** @param {string} rootId */
  thread(rootId) {
    this.threads.add(rootId);
    this.onNews();
  }

  /** @returns {{ change: ChatChange, threads: Set<string> }} */
  take() {
    const { change, threads } = this;
    this.change = nothing();
    this.threads = new Set();
    return { change, threads };
  }
}

function nothing() {
  return { facts: false, members: false, unread: false, rows: /** @type {Set<string>} */ (new Set()), reset: false };
}

/** Gathers the news of everything, and tells the listeners. */
export class Herald {
  constructor() {
    /** @type {Set<(changes: Changes) => void>} */
    this.listeners = new Set();
    /** @type {Map<string, News>} */
    this.chats = new Map();
    /** @type {Set<string>} */
    this.agents = new Set();
    this.list = false;
    this.me = false;
    this.waiting = false;
  }

  /** @param {(changes: Changes) => void} listener */
  subscribe(listener) {
    // One of its own, so that the same function can listen twice.
    const own = (/** @type {Changes} */ changes) => listener(changes);
    this.listeners.add(own);
    return () => void this.listeners.delete(own);
  }

  /** @param {{ chat?: [string, News], agent?: string, list?: boolean, me?: boolean }} what */
  note({ chat, agent, list, me }) {
    if (chat) this.chats.set(...chat);
    if (agent) this.agents.add(agent);
    this.list ||= list === true;
    this.me ||= me === true;
    if (this.waiting) return;
    this.waiting = true;
    atNextFrame(() => this.#tell());
  }

  #tell() {
    this.waiting = false;
    const threads = new Set();
    const chats = new Map();
    for (const [id, news] of this.chats) {
      const taken = news.take();
      chats.set(id, taken.change);
      for (const root of taken.threads) threads.add(root);
    }
    const changes = { list: this.list, chats, threads, agents: this.agents, me: this.me };
    this.chats = new Map();
    this.agents = new Set();
    this.list = this.me = false;
    for (const listener of this.listeners) call(listener, changes);
  }
}

/**
 * Calls somebody else's function; what it throws is reported and goes no further.
 * @template T
 * @param {(value: T) => void} listener
 * @param {T} value
 */
export function call(listener, value) {
  try {
    listener(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** @param {() => void} task */
function atNextFrame(task) {
  const { document } = globalThis;
  // A page that is not seen has no frames.
  if (document?.visibilityState !== "visible") return void setTimeout(task, 0);
  // And one that is hidden before its next frame has none either.
  const now = () => {
    cancelAnimationFrame(frame);
    document.removeEventListener("visibilitychange", now);
    task();
  };
  const frame = requestAnimationFrame(now);
  document.addEventListener("visibilitychange", now);
}
