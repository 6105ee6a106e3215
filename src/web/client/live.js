// The live connection: comes up, follows, notices its end, and comes back.
//
// Promises: while it is `live` nothing of the hub's is missing; whatever ends it, it comes back by
// itself, with pauses that grow and are jittered, except when the credential has ended for good; a
// device that comes back to its network or a page that is looked at again tries at once.
// @ts-check

import { call } from "./changes.js";
import { TalkError } from "./error.js";
import { Link } from "./link.js";
import { Alarm, pause } from "./pace.js";

/** @import { Live as Surface, LiveState, LiveStatus } from "./index.js" */
/** @import { Calls } from "./index.js" */
/** @import { Following } from "./following.js" */
/** @import { Http } from "./http.js" */
/** @import { Session } from "./session.js" */
/** @import { Settled } from "./options.js" */
/** @import { End } from "./link.js" */

/** Bytes of the cursors in one frame; the hub takes 64 KiB by default. */
const CURSORS_BYTES_MOST = 32 * 1024;
/** Milliseconds of being live after which earlier failures are forgotten. */
const SETTLED_MS = 5_000;

/** What the close codes of the hub mean here. @type {Record<number, string>} */
const MEANINGS = { 1001: "no answer", 1008: "protocol", 1009: "protocol", 1012: "restart", 4001: "credential", 4008: "slow" };

/** @implements {Surface} */
export class Live {
  /**
   * @param {Settled} options
   * @param {{ http: Http, calls: Calls, session: Session, following: Following, me: () => string, onLive: () => void }} parts
   */
  constructor(options, parts) {
    this.options = options;
    this.parts = parts;
    /** @type {LiveStatus} */
    this.status = { state: "offline", reason: "stopped", retryAt: null, code: null, attempts: 0 };
    /** @type {Set<(status: LiveStatus) => void>} */
    this.listeners = new Set();
    /** @type {Link | null} */
    this.link = null;
    /** Grows with every start and stop: a turn of before does nothing any more. */
    this.turn = 0;
    this.running = false;
    /** Whether the browser's cookie was seen to be another person's. */
    this.strangersCookie = false;
    this.attempts = 0;
    this.alarm = new Alarm(() => void this.#try(this.turn));
    this.onNetwork = () => {
      if (this.state === "waiting" || this.state === "offline") this.retryNow();
      else this.link?.check();
    };
    this.onSeen = () => document.visibilityState === "visible" && this.onNetwork();
  }

  get state() {
    return this.status.state;
  }
  get reason() {
    return this.status.reason;
  }
  get retryAt() {
    return this.status.retryAt;
  }
  get code() {
    return this.status.code;
  }

  /** @param {(status: LiveStatus) => void} listener */
  subscribe(listener) {
    const own = (/** @type {LiveStatus} */ status) => listener(status);
    this.listeners.add(own);
    return () => void this.listeners.delete(own);
  }

  connect() {
    if (this.running) return;
    this.running = true;
    this.strangersCookie = false;
    this.attempts = 0;
    this.turn += 1;
    globalThis.window?.addEventListener("online", this.onNetwork);
    globalThis.document?.addEventListener("visibilitychange", this.onSeen);
    void this.#try(this.turn);
  }

  disconnect() {
    this.#stop("offline", "stopped");
  }

  /** The credential has ended, or the person has signed out. @param {string} reason */
  signedOut(reason) {
    this.#stop("signed-out", reason);
  }

  retryNow() {
    if (!this.running || this.link) return;
    this.alarm.clear();
    void this.#try(this.turn);
  }

  /** @param {LiveState} state @param {string} reason */
  #stop(state, reason) {
    this.running = false;
    this.turn += 1;
    this.alarm.clear();
    globalThis.window?.removeEventListener("online", this.onNetwork);
    globalThis.document?.removeEventListener("visibilitychange", this.onSeen);
    this.link?.end({ code: 0, why: reason });
    this.link = null;
    if (this.state !== state) this.#say(state, reason, null, null);
  }

  /** @param {LiveState} state @param {string} reason @param {number | null} code @param {number | null} retryAt */
  #say(state, reason, code, retryAt) {
    this.status = { state, reason, code, retryAt, attempts: this.attempts };
    for (const listener of this.listeners) call(listener, this.status);
  }

  /** One attempt, and all the time that it is live. @param {number} turn */
  async #try(turn) {
    if (turn !== this.turn || this.link) return;
    const url = this.parts.http.url;
    const token = this.parts.session.token;
    this.#say("connecting", this.status.reason, this.status.code, null);
    let liveSince = Infinity;
    /** @type {End} */
    let end;
    /** @type {Link | null} */
    let link = null;
    try {
      link = await this.#open(url, token);
      await link.opened();
      await this.#subscribe(link);
      liveSince = Date.now();
      this.#say("live", "subscribed", null, null);
      this.parts.onLive();
      end = await link.ended;
    } catch (error) {
      end = isEnd(error) ? error : { code: 0, why: "protocol" };
      link?.end(end);
    }
    if (turn !== this.turn) return;
    this.link = null;
    if (Date.now() - liveSince > SETTLED_MS) this.attempts = 0;
    await this.#ended(turn, end, url, token, liveSince !== Infinity).catch(() => this.alarm.set(this.options.live.faultMs));
  }

  /** @param {string} url @param {string | null} token */
  async #open(url, token) {
    const Socket = this.options.WebSocket ?? (await import("./node-socket.js")).NodeSocket;
    // Browsers show addresses that failed, so it stands there only where no cookie carries it; or where
    // the cookie is another person's, who has signed in in another tab.
    const baked = this.parts.session.baked && !this.strangersCookie;
    const query = token && !baked ? `?token=${encodeURIComponent(token)}` : "";
    const socket = new Socket(`${url.replace(/^http/, "ws")}/v1.0/service_agents/ws${query}`);
    const probe = `agent_id:${this.parts.me()}:sign-of-life`;
    /** @type {Link} */
    const link = new Link(/** @type {WebSocket} */ (socket), this.options.live, probe, (frame) => this.#frame(link, frame));
    this.link = link;
    return link;
  }

  /** Frames that answer nothing. @param {Link} link @param {any} frame */
  #frame(link, frame) {
    if (frame?.type === "error") link.end({ code: 0, why: "protocol" });
    else if (!this.parts.following.take(frame)) link.end({ code: 0, why: "gap" });
  }

  /**
   * Subscribes with the cursors of the model, in as many frames as they need.
   * @param {Link} link
   */
  async #subscribe(link) {
    const { following } = this.parts;
    const topics = [`agent_id:${this.parts.me()}`];
    for (const some of portions(following.begin())) {
      await link.ask({ type: "subscribe", topics, since: Object.fromEntries(some) }, (answer) => {
        if (answer.type !== "subscribed") {
          this.strangersCookie ||= answer.error?.status === "PERMISSION_DENIED" && this.parts.session.baked;
          link.end(this.strangersCookie ? { code: 0, why: "connection lost" } : refused(answer));
        } else following.resumed(some.map(([chat]) => chat), answer.chats ?? {});
      });
      if (link.over) throw link.over;
    }
  }

  /**
   * What follows the end of a connection.
   * @param {number} turn
   * @param {End} end
   * @param {string} url
   * @param {string | null} token
   * @param {boolean} wasLive
   */
  async #ended(turn, end, url, token, wasLive) {
    const { firstMs, mostMs, spreadMs, faultMs } = this.options.live;
    let why = MEANINGS[end.code] ?? end.why;
    if (why === "credential" || (!wasLive && why === "connection lost")) {
      const known = await this.#credential(why, token);
      if (turn !== this.turn || known === "ended") return;
      if (known === "changed") why = "credential";
    }
    if (why !== "credential" && why !== "slow" && why !== "gap") this.parts.http.moveOn(url);
    const soon = wasLive && this.attempts === 0 && ["credential", "slow", "gap"].includes(why);
    let ms = soon ? 0 : pause(this.attempts, firstMs, mostMs);
    if (why === "protocol") ms = faultMs * (0.75 + Math.random() / 2);
    if (why === "restart") ms = Math.random() * spreadMs;
    this.attempts += 1;
    const away = globalThis.navigator?.onLine === false;
    this.#say(away ? "offline" : "waiting", away ? "no network" : why, end.code || null, Date.now() + ms);
    this.alarm.set(ms);
  }

  /**
   * Whether the credential was why: browsers do not tell how an upgrade was refused.
   * @param {string} why
   * @param {string | null} token
   * @returns {Promise<"changed" | "good" | "ended">}
   */
  async #credential(why, token) {
    const { calls, session } = this.parts;
    try {
      if (why === "credential") return (await session.refused(token)) ? "changed" : "ended";
      await calls.getMe({ signal: AbortSignal.timeout(this.options.live.answerMs) });
      return token === session.token ? "good" : "changed";
    } catch (error) {
      const out = error instanceof TalkError && error.http === 401 && session.token === null;
      return out ? "ended" : "good";
    }
  }
}

/** @param {unknown} error @returns {error is End} */
function isEnd(error) {
  return typeof error === "object" && error !== null && "why" in error;
}

/** A subscription that the hub refused: for now, or because we asked wrongly. @param {any} answer @returns {End} */
function refused(answer) {
  const later = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL"].includes(answer.error?.status);
  return { code: 0, why: later ? "refused" : "protocol" };
}

/**
 * Cursors in portions that fit a frame; at least one, which may be empty.
 * @param {Array<[string, string]>} cursors
 */
function portions(cursors) {
  /** @type {Array<Array<[string, string]>>} */
  const all = [[]];
  let bytes = 0;
  for (const cursor of cursors) {
    bytes += cursor[0].length + cursor[1].length + 6;
    if (bytes > CURSORS_BYTES_MOST) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)?.push(cursor);
  }
  return all;
}
