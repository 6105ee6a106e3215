// The whole public surface of the client library of a Talk hub, for people and for the type checker.
//
//   const talk = new Talk({ url: "https://talk.example.com" });
//   await talk.signIn("alice@demo.test", "demo");          // loads the model and goes live
//   talk.store.subscribe((changes) => draw(changes));
//   await talk.store.open(chatId);                          // members and the newest messages
//   talk.store.send(chatId, { text: "Hello" });             // is in the chat at once
//
// Promises: nothing is thrown that is not a TalkError (or the reason of your own signal, or what your
// own `credentials` or stream throws); the model is equal to the server's while `talk.live.state` is
// "live" and the chat is `ready` and not `fetching`; whatever is queued, kept or waited for has a bound,
// in `Options` or in the code.

import type { Aborting, Calls, ChatCreate, PageOf } from "./types-calls.js";
import type { Agent, Chat, Media, Message, Page, Participant } from "./types-wire.js";

export type * from "./types-calls.js";
export type * from "./types-wire.js";

// ---- failures ------------------------------------------------------------------------------------

/** Whatever went wrong, in one shape. */
export class TalkError extends Error {
  constructor(facts: TalkErrorFacts);
  /** HTTP status; 0 when no answer came (network, time) or the fault is on this side. */
  readonly http: number;
  /** The hub's word (`NOT_FOUND`, `UNAVAILABLE`, ...), or `NETWORK`, `TIMEOUT`, `CLOSED`. */
  readonly status: string;
  /** The hub's reason (`CHAT_NOT_FOUND`, ...), or one of this library's: see README.md. */
  readonly reason: string;
  /** For the log of the hub: every call has one, also one that got no answer. */
  readonly requestId: string;
  /** Seconds after which another try makes sense, if the hub said so. */
  readonly retryAfter: number | null;
  /** Whether the same call may succeed later without being changed. */
  readonly temporary: boolean;
}

export interface TalkErrorFacts {
  http?: number;
  status: string;
  reason: string;
  message: string;
  requestId?: string;
  retryAfter?: number | null;
  cause?: unknown;
}

// ---- the door ------------------------------------------------------------------------------------

export interface Options {
  /** The hub, or several nodes of it: after a fault the next one is tried. Default: the page's origin. */
  url?: string | string[];
  /**
   * A credential of your own making: a JWT, or an access key (`vb_...`). Asked at the start and
   * whenever the hub refuses the one before; `null` ends as signed out.
   */
  credentials?: (why: "start" | "refused") => Promise<string | null> | string | null;
  /** Where read marks are kept; default `localStorage` if there is one, else memory. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  keep?: {
    /** Messages kept of a chat that is not open, give or take a quarter. Default 50. */
    messages?: number;
    /** Messages kept of a chat that is open, give or take a quarter. Default 20,000. */
    openMessages?: number;
    /** Chats whose newest messages are loaded before anybody opens them. Default 50. */
    preload?: number;
  };
  retry?: {
    /** Tries of one call at most, the first included. Default 6. */
    tries?: number;
    /** Milliseconds of the first pause; doubles, jittered. Default 250. */
    firstMs?: number;
    /** Milliseconds of a pause at most. Default 10,000. */
    mostMs?: number;
    /** Milliseconds that one call may take over all its tries. Default 60,000. */
    totalMs?: number;
  };
  /** Milliseconds that one try may take without an answer. Default 15,000. Not for files. */
  tryMs?: number;
  /** Milliseconds in which not a byte of a file goes or comes, after which it is given up. Default 60,000. */
  stallMs?: number;
  live?: {
    /** Milliseconds without any frame after which the link is asked for a sign of life. Default 20,000. */
    quietMs?: number;
    /** Milliseconds in which it must answer that, open or subscribe. Default 10,000. */
    answerMs?: number;
    /** Milliseconds of the first pause before another attempt. Default 500. */
    firstMs?: number;
    /** Milliseconds of a pause at most. Default 30,000. */
    mostMs?: number;
    /** Milliseconds over which clients spread themselves after a hub said that it restarts. Default 3,000. */
    spreadMs?: number;
    /** Milliseconds of the pause after 1008, which only a fault of this library causes. Default 60,000. */
    faultMs?: number;
    /** Events that wait while a chat is fetched; above it the chat is fetched again. Default 10,000. */
    waitingEvents?: number;
  };
  /** For tests and for unusual places. */
  fetch?: typeof fetch;
  WebSocket?: typeof WebSocket;
}

/** One person's connection to one hub. */
export class Talk {
  constructor(options?: Options);
  /**
   * With a token that you have. It is renewed when it bears the hub's mark for that (`auth_time`), and
   * lays down no cookie. Call `start()` next.
   */
  static withToken(token: string, options?: Options): Talk;

  /** Every call of the hub. */
  readonly calls: Calls;
  /** The live connection. */
  readonly live: Live;
  /** The model: chats, members, messages, colleagues. */
  readonly store: Store;
  /** The person signed in, or `null`. The same object as `store.me`. */
  readonly me: Agent | null;

  /** Signs in by password, then `start()`. Rejects with reason `INVALID_CREDENTIALS`, among others. */
  signIn(username: string, password: string, how?: Aborting): Promise<Agent>;
  /**
   * Goes on with the sign-in that the browser remembers (the cookie), after a reload of the page.
   * `null`: there is none.
   */
  resume(how?: Aborting): Promise<Agent | null>;
  /** Asks who the credential is, loads the list of chats and colleagues, and goes live. */
  start(how?: Aborting): Promise<Agent>;
  /**
   * Clears credential and model, here and in the other tabs of this sign-in; the state becomes
   * `signed-out`. Never rejects. `false`: the hub could not be asked to clear the browser's cookie, so
   * `resume()` may still find it; sign out again when the hub can be reached. A cookie that is another
   * person's by now is left alone.
   */
  signOut(): Promise<boolean>;
  /**
   * Ends everything of this object for good: connection, timers, calls, of which those under way and all
   * later ones reject with `CLOSED`. The sign-in stays valid, for another object.
   */
  close(): void;
}

// ---- the live connection -------------------------------------------------------------------------

/**
 * - `offline`: not started, or stopped, or the device says that it has no network
 * - `connecting`: an attempt is under way, or what its end means for the credential is being found out
 * - `live`: what happens comes at once; what was missed is here, except of chats that are `fetching`
 * - `waiting`: the next attempt is at `retryAt`
 * - `signed-out`: the credential ended and no other was to be had
 */
export type LiveState = "offline" | "connecting" | "live" | "waiting" | "signed-out";

export interface LiveStatus {
  readonly state: LiveState;
  /**
   * Why: `start`, `stopped`, `no network`, `connection lost`, `no answer`, `restart`, `slow`,
   * `credential`, `refused`, `gap`, `protocol`, `signed out`, `subscribed`.
   */
  readonly reason: string;
  /** Milliseconds since 1970 of the next attempt, in state `waiting`. */
  readonly retryAt: number | null;
  /** The close code of the connection before, if it had one. */
  readonly code: number | null;
  /** Attempts that failed and connections that ended since one has lasted for some seconds. */
  readonly attempts: number;
}

export interface Live extends LiveStatus {
  /** Hears every change of the status; the answer ends it. */
  subscribe(listener: (status: LiveStatus) => void): () => void;
  /** Tries now instead of at `retryAt`; while an attempt is under way, at once after it. */
  retryNow(): void;
  /** Goes live if it is not; `talk.start()` does. */
  connect(): void;
  /** Stops until `connect()`. */
  disconnect(): void;
}

// ---- the model -----------------------------------------------------------------------------------

/** A message on the screen. Never changed: a change makes a new row with the same key. */
export interface Row {
  /** Stays the same from the moment of sending on, so that a list keeps its place and its element. */
  readonly key: string;
  /**
   * What to show, with reactions and deletions that are still under way. While `sending` or `failed`
   * after a send, `id` is `""` and `seq` is `Infinity`.
   */
  readonly message: Message;
  /** `failed`: the send was refused or given up; `retry` or `discard` it. */
  readonly state: "sent" | "sending" | "failed";
  /** Why it failed; also why the newest reaction or deletion of this message did. */
  readonly error: TalkError | null;
  /** A reaction or deletion of ours is under way. */
  readonly busy: boolean;
}

/** A chat of the model. The object stays the same as long as the chat is in the model. */
export interface ChatView {
  readonly id: string;
  /** The chat as the hub has it, `seq` and `cursor` being those of the newest event applied. */
  readonly chat: Chat;
  /** By agent id; `null` until loaded. */
  readonly members: ReadonlyMap<string, Participant> | null;
  /** Oldest first, without a hole up to the newest; what is being sent stands at the end. */
  readonly rows: readonly Row[];
  /** Whether `rows` and `members` have been loaded and follow the events. */
  readonly ready: boolean;
  /** Whether it is being (re)fetched, or waits for its turn; what is shown meanwhile may be old. */
  readonly fetching: boolean;
  /** Why the last fetch failed; it is tried again. */
  readonly error: TalkError | null;
  /** Whether the first row is the first message of the chat. */
  readonly reachesBeginning: boolean;
  /** The newest message that is known, also before the chat is `ready`. */
  readonly newest: Row | null;
  /** `seq` up to which the person has read. */
  readonly readSeq: number;
  /** Messages of others after the read mark, as far as loaded. */
  readonly unread: number;
  /** Whether there may be more unread ones than were loaded ("9+"). */
  readonly unreadMore: boolean;
}

/** The replies to one message. */
export interface Thread {
  readonly root: Row | null;
  readonly chatId: string;
  readonly messageId: string;
  /** Oldest first. */
  readonly rows: readonly Row[];
  readonly reachesBeginning: boolean;
  loadOlder(how?: Aborting): Promise<number>;
  /** Ends it; the rows are forgotten, unless another has it open. */
  close(): void;
}

/**
 * What changed since the last call of the listener. At most one call per animation frame; per turn in
 * Node, on a page that is not seen, and when a page is hidden or seen again.
 */
export interface Changes {
  /** Chats came, went, or everything is new: draw the list again. */
  readonly list: boolean;
  readonly chats: ReadonlyMap<string, ChatChange>;
  /** Ids of root messages of open threads. */
  readonly threads: ReadonlySet<string>;
  readonly agents: ReadonlySet<string>;
  readonly me: boolean;
}

export interface ChatChange {
  /** Name, detail, member_count, deletion, readiness, error, `reachesBeginning`. */
  readonly facts: boolean;
  readonly members: boolean;
  /** `unread`, `unreadMore`, `readSeq`, `newest`. */
  readonly unread: boolean;
  /** Keys of rows that came, changed or went. */
  readonly rows: ReadonlySet<string>;
  /** The rows are others altogether: draw them all again. */
  readonly reset: boolean;
}

export interface Draft {
  text?: string;
  medias?: Partial<Media>[];
  /** Id of the message it replies to. */
  parent?: string;
}

export interface Sending {
  /** The key of its row. */
  readonly key: string;
  /**
   * The message as the hub has it. Rejects when it is refused or given up; the row says so too. One that
   * was given up and then turns out to have arrived becomes `sent` in the same row all the same.
   */
  readonly settled: Promise<Message>;
}

export interface Store {
  readonly me: Agent | null;
  /** All colleagues, oneself included, by id. */
  readonly agents: ReadonlyMap<string, Agent>;
  /** All chats that the person is a member of, by id; a new one once it has been read. */
  readonly chats: ReadonlyMap<string, ChatView>;

  subscribe(listener: (changes: Changes) => void): () => void;

  /** Loads members and newest messages, and keeps more of them until `close`. Counted: close as often. */
  open(chatId: string, how?: Aborting): Promise<ChatView>;
  close(chatId: string): void;
  /**
   * Loads the page of messages before the first row; the answer is how many came. 0 also when the rows
   * were let go of or read anew meanwhile. Rejects with `TOO_MANY_LOADED` at the bound of what is kept.
   */
  loadOlder(chatId: string, how?: Aborting): Promise<number>;
  openThread(messageId: string, chatId: string, how?: Aborting): Promise<Thread>;
  /** The row of a message that is loaded, by its key or id. */
  row(chatId: string, keyOrId: string): Row | null;

  /** Puts the message in the chat at once and sends it, over cuts and nodes, exactly once. */
  send(chatId: string, draft: Draft): Sending;
  /** Sends a failed one again, under the same idempotency key; under a new one when the hub lost it. */
  retry(chatId: string, key: string): Sending;
  /** Forgets a failed one. */
  discard(chatId: string, key: string): void;
  /** Sets (`true`) or takes back (`false`) one's own reaction; shown at once, taken back if refused. */
  react(chatId: string, messageId: string, emoji: string, on: boolean): Promise<void>;
  /** Deletes one's own message; shown at once, taken back if refused. */
  remove(chatId: string, messageId: string): Promise<void>;

  /**
   * Makes a chat (or finds the direct one) and answers when it is in the model, which needs the live
   * connection. Rejects when the chat goes, the sign-in ends or the object is closed before.
   */
  createChat(chat: ChatCreate, how?: Aborting): Promise<ChatView>;
  /** Joins a public chat and answers when it is in the model, or rejects, as `createChat` does. */
  join(chatId: string, how?: Aborting): Promise<ChatView>;
  /** Leaves; the chat goes out of the model. */
  leave(chatId: string, how?: Aborting): Promise<void>;

  /** Read up to this message (default: the newest). Marks only go forward. */
  markRead(chatId: string, seq?: number): void;
}

// ---- lists ---------------------------------------------------------------------------------------

/** Every row of a list, page by page: `for await (const chat of every(talk.calls.listChats))`. */
export function every<T, P extends PageOf>(list: (page: P) => Promise<Page<T>>, page?: P): AsyncGenerator<T>;
