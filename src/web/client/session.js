// The credential: kept, renewed before it ends, replaced when it is refused, forgotten at the end.
//
// Promises: one renewal at a time, whoever asks; only a token that bears the hub's mark (`auth_time`)
// is sent to be renewed; a renewal lays down no cookie where the cookie is another person's or none of
// ours; when no credential is to be had any more, `onEnded` is called. The token lives in memory only:
// over a reload of the page the hub's own cookie carries it, which scripts cannot read.
// @ts-check

import { TalkError, closed } from "./error.js";
import { Alarm } from "./pace.js";
import { Tabs } from "./tabs.js";

/** @import { Settled } from "./options.js" */
/** @import { Http } from "./http.js" */
/** @import { SignedIn } from "./index.js" */

/** Milliseconds before another renewal after one that could not be made. */
const AGAIN_MS = 15_000;
/** Milliseconds between the hub's clock and this device's within which they agree. */
const AGREES_MS = 1_500;
/** Milliseconds that a token is kept at least before it is renewed, whatever it and the clocks say. */
const KEPT_MS_LEAST = 500;

export class Session {
  /**
   * @param {Settled} options
   * @param {Http} http
   * @param {(reason: string) => void} onEnded
   */
  constructor(options, http, onEnded) {
    this.options = options;
    this.http = http;
    this.onEnded = onEnded;
    /** @type {string | null} */
    this.token = null;
    /** When the token ends, in seconds since 1970 by the hub's clock; 0: unknown. */
    this.exp = 0;
    /** Whether the token was given out by the hub together with its cookie. */
    this.cookie = false;
    /** Whether the cookie is another person's by now, who has signed in in another tab. */
    this.foreign = false;
    this.closed = false;
    /** @type {Promise<boolean> | null} */
    this.renewing = null;
    /** Ends the renewal that is under way. @type {AbortController | null} */
    this.calling = null;
    this.alarm = new Alarm(() => void this.#renewInTime(), false);
    this.tabs = new Tabs((news) => this.#heard(news));
  }

  /** Whether the browser keeps this token as a cookie for the node in use. */
  get baked() {
    return this.cookie && !this.foreign && this.http.sameOrigin;
  }

  /**
   * @param {string} token
   * @param {boolean} [fresh] whether the hub has made it just now
   * @param {boolean} [cookie] whether it came with the hub's cookie
   */
  take(token, fresh = false, cookie = false) {
    if (this.closed) return;
    const claims = claimsOf(token);
    const before = this.exp;
    this.token = token;
    this.exp = claims?.exp ?? 0;
    this.cookie = cookie && this.http.sameOrigin;
    if (this.cookie) {
      this.foreign = false;
      this.tabs.begin();
    }
    this.alarm.clear();
    // One that lives no longer than the one before it is the last of its sign-in.
    if (claims === null || claims.exp <= before) return;
    // Somewhere between 60 and 80 % of what is left: those who signed in together come apart.
    this.alarm.set(Math.max(KEPT_MS_LEAST, leftOf(claims, fresh) * (0.6 + Math.random() * 0.2)));
  }

  /** The person has signed in here: other tabs learn whose the cookie is now. */
  signedIn() {
    if (this.baked) this.tabs.tell({ type: "signed-in", person: this.#person() });
  }

  /** The person signs out here: the other tabs of that sign-in end, and no renewal undoes it. */
  signOut() {
    if (this.cookie || this.foreign) this.tabs.tell({ type: "signed-out", person: this.#person() });
    this.end();
  }

  end() {
    this.alarm.clear();
    this.calling?.abort(closed());
    this.tabs.end();
    this.token = null;
    this.exp = 0;
    this.cookie = false;
    this.foreign = false;
  }

  /** Ends it for good. */
  close() {
    this.end();
    this.closed = true;
  }

  /**
   * The hub refused this token. Whether there is another now; rejects when that cannot be known yet.
   * @param {string | null} token
   * @returns {Promise<boolean>}
   */
  async refused(token) {
    if (token !== this.token) return this.token !== null;
    if (await this.#another()) return true;
    // Whoever asked first has ended it.
    if (token !== this.token) return this.token !== null;
    this.end();
    this.onEnded("credential");
    return false;
  }

  /** The first credential, from the callback if there is one. */
  async begin() {
    return this.token !== null || this.#ask("start");
  }

  async #renewInTime() {
    const token = this.token;
    // Refused while it is still good: its sign-in nears its end, which comes by itself.
    await this.#another().catch(() => {
      if (token !== null && token === this.token) this.alarm.set(AGAIN_MS * (0.5 + Math.random()));
    });
  }

  /** Another token, by renewal or from the callback; one attempt at a time, for all who ask. */
  #another() {
    const task = async () => (await this.#renew()) || this.#ask("refused");
    this.renewing ??= task().finally(() => {
      this.renewing = null;
    });
    return this.renewing;
  }

  /** Whether there is a fresh token; rejects when that cannot be known now. */
  async #renew() {
    const token = this.token;
    if (token === null || !claimsOf(token)?.ours) return false;
    const calling = new AbortController();
    this.calling = calling;
    const { baked } = this;
    try {
      /** @type {SignedIn} */
      const fresh = await this.http.json({
        method: "POST",
        path: "/auth/renew",
        headers: { Authorization: `Bearer ${token}` },
        anonymous: true,
        repeatable: true,
        cookieless: !baked,
        signal: calling.signal,
      });
      if (token === this.token) this.take(fresh.token, true, baked);
      return true;
    } catch (error) {
      if (error instanceof TalkError && (error.http === 401 || error.http === 403)) return false;
      throw error;
    } finally {
      if (this.calling === calling) this.calling = null;
    }
  }

  /** @param {"start" | "refused"} why */
  async #ask(why) {
    const before = this.token;
    const token = (await this.options.credentials?.(why)) ?? null;
    // Signed out, closed or signed in anew meanwhile: what was asked for is of no use any more.
    if (this.closed || this.token !== before) return this.token !== null;
    if (token === null || (why === "refused" && token === before)) return false;
    this.take(token);
    return true;
  }

  /** Another tab tells of the cookie. @param {import("./tabs.js").TabNews} news */
  #heard({ type, person }) {
    if (this.token === null || !(this.cookie || this.foreign)) return;
    const own = person === this.#person();
    if (type === "signed-out" && own) {
      this.end();
      this.onEnded("signed out");
    } else if (type === "signed-in" && own && this.foreign) {
      this.foreign = false;
      this.cookie = true;
    } else if (type === "signed-in" && !own) {
      this.foreign = true;
      // One that is under way would lay down this person's cookie again; it is made anew without.
      this.calling?.abort(closed());
    }
  }

  #person() {
    return this.token === null ? "" : (claimsOf(this.token)?.sub ?? "");
  }
}

/**
 * What is used of a token's claims; `null` for what is not a JWT with an end: an access key.
 * @param {string} token
 */
function claimsOf(token) {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { exp, iat, sub, auth_time: signedIn } = JSON.parse(atob(part));
    if (typeof exp !== "number") return null;
    return {
      exp,
      iat: typeof iat === "number" ? iat : null,
      sub: typeof sub === "string" ? sub : "",
      /** Whether it bears the mark of those that the hub renews. */
      ours: typeof sub === "string" && typeof signedIn === "number",
    };
  } catch {
    return null;
  }
}

/**
 * Milliseconds that a token still lives. Of one made just now its own claims tell it, in whole seconds;
 * the clock of this device, which may be wrong, tells it more exactly where it agrees with them. For a
 * token of unknown age there is only the clock.
 * @param {{ exp: number, iat: number | null }} claims
 * @param {boolean} fresh
 */
function leftOf({ exp, iat }, fresh) {
  const whole = iat === null ? Infinity : (exp - iat) * 1000;
  const byClock = exp * 1000 - Date.now();
  if (fresh && iat !== null && Math.abs(byClock - whole) > AGREES_MS) return whole - 1_000;
  return Math.min(whole, byClock);
}
