// The live connection: comes up, follows, notices its end, and comes back.
//
// Promises: while it is `live` nothing of the hub's is missing; whatever ends it, it comes back by
// itself, with pauses that grow and are jittered, except when the credential has ended for good; a
// device that comes back to its network or a page that is looked at again tries at once.
// @ts-check

import { call } from "./changes.js";
import { TalkError, closed } from "./error.js";
import { Link } from "./link.js";
import { Alarm, Ending, anyOf, pause, unless } from "./pace.js";

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
   * @param {{ http: Http, calls: Calls, session: Session, following: Following, me: () => string, onLive: (gapMs: number) => void }} parts
   *   `onLive` hears for how long nothing was heard before, in milliseconds; 0 at first
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
    /** Whether an attempt is under way, from its start until what follows its end is settled. */
    this.trying = false;
    /** Fires when what follows the end of an attempt is not to be waited for. */
    this.hurry = new Ending();
    /** Whether the newest connection was asked for with the browser's cookie. */
    this.byCookie = false;
    /** When the newest frame came of the connection before, in milliseconds since 1970. */
    this.heardAt = Infinity;
    this.attempts = 0;
    this.alarm = new Alarm(() => void this.#try(this.turn));
    this.onNetwork = () => {
      if (this.state === "live") this.link?.check();
      else this.retryNow();
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
    if (this.running || this.parts.http.closed) return;
    this.running = true;
    this.attempts = 0;
    this.turn += 1;
    this.status = { ...this.status, reason: "start", code: null };
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
    if (!this.running || this.state === "live") return;
    // One at a time: the next attempt follows at once.
    if (this.trying) return this.hurry.abort(closed());
    this.alarm.clear();
    void this.#try(this.turn);
  }

  /** @param {LiveState} state @param {string} reason */
  #stop(state, reason) {
    this.running = false;
    this.turn += 1;
    this.trying = false;
    this.hurry.abort(closed());
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
    if (turn !== this.turn || this.trying) return;
    this.trying = true;
    this.hurry = new Ending();
    const url = this.parts.http.url;
    const token = this.parts.session.token;
    this.#say("connecting", this.status.reason, this.status.code, null);
    let liveSince = Infinity;
    /** @type {End} */
    let end;
    /** @type {Link | null} */
    let link = null;
    try {
      link = await this.#open(turn, url, token);
      await link.opened();
      await this.#subscribe(link);
      liveSince = Date.now();
      this.hurry = new Ending();
      this.#say("live", "subscribed", null, null);
      this.parts.onLive(Math.max(0, liveSince - this.heardAt));
      end = await link.ended;
    } catch (error) {
      end = isEnd(error) ? error : { code: 0, why: "protocol" };
      link?.end(end);
    }
    if (link && liveSince !== Infinity) this.heardAt = link.heardAt;
    if (turn !== this.turn) return;
    this.link = null;
    if (Date.now() - liveSince > SETTLED_MS) this.attempts = 0;
    await this.#ended(turn, end, url, token, liveSince !== Infinity).catch(() => this.#again(this.options.live.faultMs));
  }

  /** The next attempt comes then. @param {number} ms */
  #again(ms) {
    this.trying = false;
    this.alarm.set(ms);
  }

  /** @param {number} turn @param {string} url @param {string | null} token */
  async #open(turn, url, token) {
    const Socket = this.options.WebSocket ?? (await import("./node-socket.js")).NodeSocket;
    if (turn !== this.turn) throw closed();
    // Browsers show addresses that failed, so it stands there only where no cookie carries it; or where
    // the cookie is another person's, who has signed in in another tab.
    this.byCookie = this.parts.session.baked;
    const query = token && !this.byCookie ? `?token=${encodeURIComponent(token)}` : "";
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
    const { following, session } = this.parts;
    const topics = [`agent_id:${this.parts.me()}`];
    for (const some of portions(following.begin())) {
      await link.ask({ type: "subscribe", topics, since: Object.fromEntries(some) }, (answer) => {
        if (answer.type !== "subscribed") {
          const strangers = answer.error?.status === "PERMISSION_DENIED" && this.byCookie;
          if (strangers) session.foreign = true;
          link.end(strangers ? { code: 0, why: "connection lost" } : refused(answer));
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
      // Nothing is live any more, however long this takes.
      if (wasLive) this.#say("connecting", why, end.code || null, null);
      const known = await this.#credential(why, token);
      if (turn !== this.turn) return;
      if (known === "ended") return this.signedOut("credential");
      if (known === "changed") why = "credential";
    }
    if (why !== "credential" && why !== "slow" && why !== "gap") this.parts.http.moveOn(url);
    const soon = wasLive && this.attempts === 0 && ["credential", "slow", "gap"].includes(why);
    let ms = soon ? 0 : pause(this.attempts, firstMs, mostMs);
    if (why === "protocol") ms = faultMs * (0.75 + Math.random() / 2);
    if (why === "restart") ms = Math.random() * spreadMs;
    if (this.hurry.aborted) ms = 0;
    this.attempts += 1;
    const away = globalThis.navigator?.onLine === false;
    this.#say(away ? "offline" : "waiting", away ? "no network" : why, end.code || null, Date.now() + ms);
    this.#again(ms);
  }

  /**
   * Whether the credential was why: browsers do not tell how an upgrade was refused.
   * @param {string} why
   * @param {string | null} token
   * @returns {Promise<"changed" | "good" | "ended">}
   */
  async #credential(why, token) {
    const { calls, session } = this.parts;
    const limit = anyOf([this.hurry], this.options.live.answerMs);
    try {
      if (why === "credential") return (await unless(session.refused(token), this.hurry)) ? "changed" : "ended";
      await calls.getMe({ signal: limit.signal });
      return token === session.token ? "good" : "changed";
    } catch (error) {
      const out = error instanceof TalkError && error.http === 401 && session.token === null;
      return out ? "ended" : "good";
    } finally {
      limit.end();
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
