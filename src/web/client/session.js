// The credential: kept, renewed before it ends, replaced when it is refused, forgotten at the end.
//
// Promises: one renewal at a time, whoever asks; a token that this hub did not sign is never sent to
// be renewed; when no credential is to be had any more, `onEnded` is called once. The token lives in
// memory only: over a reload of the page the hub's own cookie carries it, which scripts cannot read.
// @ts-check

import { TalkError } from "./error.js";
import { Alarm } from "./pace.js";

/** @import { Settled } from "./options.js" */
/** @import { Http } from "./http.js" */
/** @import { SignedIn } from "./index.js" */

/** Milliseconds before another renewal after one that could not be made. */
const AGAIN_MS = 15_000;

export class Session {
  /**
   * @param {Settled} options
   * @param {Http} http
   * @param {() => void} onEnded
   */
  constructor(options, http, onEnded) {
    this.options = options;
    this.http = http;
    this.onEnded = onEnded;
    /** @type {string | null} */
    this.token = null;
    /** When the token ends, in milliseconds since 1970; 0: unknown. */
    this.ends = 0;
    /** Whether the browser keeps the token as a cookie of the hub's. */
    this.baked = false;
    /** @type {Promise<boolean> | null} */
    this.renewing = null;
    this.alarm = new Alarm(() => void this.#renewInTime(), false);
  }

  /**
   * @param {string} token
   * @param {boolean} fromHub whether the hub has just given it out, and with it its cookie
   */
  take(token, fromHub) {
    this.token = token;
    this.baked = fromHub && this.http.sameOrigin;
    this.alarm.clear();
    const life = lifeOf(token);
    const before = this.ends;
    this.ends = life?.ends ?? 0;
    // One that lives no longer than the one before it is the last of its sign-in.
    if (life === null || life.ends <= before) return;
    // Somewhere between 60 and 80 % of what is left: those who signed in together come apart.
    this.alarm.set((life.ends - Date.now()) * (0.6 + Math.random() * 0.2));
  }

  end() {
    this.alarm.clear();
    this.token = null;
    this.ends = 0;
    this.baked = false;
  }

  /**
   * The hub refused this token. Whether there is another now; rejects when that cannot be known yet.
   * @param {string | null} token
   * @returns {Promise<boolean>}
   */
  async refused(token) {
    if (token !== this.token) return this.token !== null;
    return this.#once(async () => {
      if ((await this.#renew()) || (await this.#ask("refused"))) return true;
      this.end();
      this.onEnded();
      return false;
    });
  }

  /** The first credential, from the callback if there is one. */
  async begin() {
    return this.token !== null || this.#ask("start");
  }

  async #renewInTime() {
    const token = this.token;
    await this.#once(async () => {
      const renewed = (await this.#renew()) || (await this.#ask("refused"));
      // Refused while it is still good: its sign-in nears its end, which comes by itself.
      return renewed;
    }).catch(() => {
      if (token === this.token) this.alarm.set(AGAIN_MS * (0.5 + Math.random()));
    });
  }

  /** @param {() => Promise<boolean>} task */
  #once(task) {
    this.renewing ??= task().finally(() => {
      this.renewing = null;
    });
    return this.renewing;
  }

  /** Whether there is a fresh token; rejects when that cannot be known now. */
  async #renew() {
    const token = this.token;
    if (token === null || !lifeOf(token)?.ours) return false;
    try {
      const headers = { Authorization: `Bearer ${token}` };
      /** @type {SignedIn} */
      const fresh = await this.http.json({ method: "POST", path: "/auth/renew", headers, anonymous: true, repeatable: true });
      if (token === this.token) this.take(fresh.token, true);
      return true;
    } catch (error) {
      if (error instanceof TalkError && (error.http === 401 || error.http === 403)) return false;
      throw error;
    }
  }

  /** @param {"start" | "refused"} why */
  async #ask(why) {
    const before = this.token;
    const token = (await this.options.credentials?.(why)) ?? null;
    if (token === null || (why === "refused" && token === before)) return false;
    this.take(token, false);
    return true;
  }
}

/**
 * When a token ends, in milliseconds since 1970, and whether the hub signed it itself; `null` for
 * what is not a JWT with an end: an access key.
 * @param {string} token
 */
function lifeOf(token) {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const claims = JSON.parse(atob(part));
    if (typeof claims.exp !== "number") return null;
    const ours = typeof claims.sub === "string" && typeof (claims.auth_time ?? claims.iat) === "number" && !claims.agent;
    return { ends: claims.exp * 1000, ours };
  } catch {
    return null;
  }
}
