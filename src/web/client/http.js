// One call over HTTP: sent, tried again where that is safe, and ended in an answer or a TalkError.
//
// Promises: a call that makes something happens at most once however often it is tried, because it
// carries one idempotency key, or is not tried again when its outcome is unknown. Tries are bounded
// in number and in time; pauses grow, are jittered, and obey Retry-After. After a fault of the
// network the next node is asked.
// @ts-check

import { TalkError, closed, refusal, tooLate, unreachable } from "./error.js";
import { Ending, anyOf, pause, wait } from "./pace.js";

/** @import { Settled } from "./options.js" */
/** @import { Session } from "./session.js" */

/**
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string | number | undefined>} [query]
 * @property {unknown} [body] what becomes JSON
 * @property {() => BodyInit} [raw] or what makes what is sent as it is: anew for each try
 * @property {boolean} [once] what `raw` makes can be read only once
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {string | null} [key] the idempotency key; a POST without one is not repeated blindly
 * @property {boolean} [repeatable] whether doing it twice is the same as once
 * @property {boolean} [anonymous] goes without our credential, and is not renewed for
 * @property {boolean} [cookieless] takes no cookie along, and lays none down
 * @property {() => void} [onLost] is called when an answer was lost and another try follows
 * @property {number} [tries]
 * @property {number} [ms] for one try; 0: as long as it takes
 */

export class Http {
  /** @param {Settled} options */
  constructor(options) {
    this.options = options;
    /** Fires when the sign-in ends, and whatever is under way with it. */
    this.ended = new Ending();
    this.node = Math.floor(Math.random() * options.urls.length);
    /** @type {Session | null} set once, right after this is made */
    this.session = null;
    this.closed = false;
  }

  /** Ends what is under way. */
  end() {
    this.ended.abort(closed());
    if (!this.closed) this.ended = new Ending();
  }

  /** Ends what is under way, and whatever is asked from now on. */
  close() {
    this.closed = true;
    this.end();
  }

  /** The node in use. */
  get url() {
    return this.options.urls[this.node % this.options.urls.length] ?? "";
  }

  /** Whether a page of the hub's own is calling, so that its cookies go along. */
  get sameOrigin() {
    return globalThis.location?.origin === this.url;
  }

  /** Turns to the next node, unless somebody did already. @param {string} failed */
  moveOn(failed) {
    if (this.url === failed) this.node = (this.node + 1) % this.options.urls.length;
  }

  /**
   * The answer's body, read as JSON.
   * @param {Call} call
   * @returns {Promise<any>}
   */
  async json(call) {
    return (await this.response(call, (response) => response.json())).body;
  }

  /**
   * The answer, as far as `read` reads it; faults of reading are faults of the try.
   * @template T
   * @param {Call} call
   * @param {(response: Response) => Promise<T> | T} read
   * @returns {Promise<{ response: Response, body: T }>}
   */
  async response(call, read) {
    const { tries: triesMost, firstMs, mostMs, totalMs } = this.options.retry;
    const most = call.tries ?? triesMost;
    const requestId = randomId("web-");
    const until = Date.now() + totalMs;
    let renewed = false;
    for (let tries = 1; ; tries += 1) {
      const url = this.url;
      const token = call.anonymous ? null : (this.session?.token ?? null);
      const outcome = await this.#try(call, url, token, requestId, read);
      if (!(outcome instanceof TalkError)) return outcome;
      if (outcome.http === 401 && !call.anonymous && !renewed && this.session) {
        renewed = true;
        if ((await this.session.refused(token)) && !call.once) continue;
      }
      if (outcome.http === 0 || outcome.http >= 502) this.moveOn(url);
      const asked = (outcome.retryAfter ?? 0) * 1000;
      const ms = Math.max(asked * (1 + Math.random() / 4), pause(tries - 1, firstMs, mostMs));
      if (!mayRepeat(call, outcome) || tries >= most || Date.now() + ms > until) throw outcome;
      if (outcome.http === 0 || outcome.http >= 500) call.onLost?.();
      const waiting = anyOf([call.signal, this.ended]);
      await wait(ms, waiting.signal).finally(waiting.end);
    }
  }

  /**
   * @template T
   * @param {Call} call
   * @param {string} url
   * @param {string | null} token
   * @param {string} requestId
   * @param {(response: Response) => Promise<T> | T} read
   * @returns {Promise<{ response: Response, body: T } | TalkError>}
   */
  async #try(call, url, token, requestId, read) {
    call.signal?.throwIfAborted();
    if (this.ended.aborted) throw this.ended.reason;
    const limit = anyOf([call.signal, this.ended], call.ms ?? this.options.tryMs);
    /** @type {Record<string, string>} */
    const headers = { "X-Request-Id": requestId, ...call.headers };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (call.key) headers["Idempotency-Key"] = call.key;
    if (call.body !== undefined) headers["Content-Type"] = "application/json";
    try {
      const response = await this.options.fetch(url + call.path + search(call.query), {
        method: call.method,
        headers,
        body: call.body === undefined ? call.raw?.() : JSON.stringify(call.body),
        signal: limit.signal,
        cache: "no-store",
        // The hub never sends a call elsewhere; who does is not to get the credential.
        redirect: "error",
        credentials: call.cookieless ? "omit" : "same-origin",
        // @ts-expect-error Node wants it for streams; browsers pass it over.
        duplex: "half",
      });
      if (!response.ok) return await refusal(response, requestId);
      return { response, body: await read(response) };
    } catch (error) {
      if (limit.late()) return tooLate(requestId);
      if (limit.signal.aborted) throw limit.signal.reason;
      return unreachable(requestId, error);
    } finally {
      limit.end();
    }
  }
}

/**
 * Whether the call may be made again after this. Refused for its rate, it was not begun.
 * @param {Call} call
 * @param {TalkError} error
 */
function mayRepeat(call, error) {
  if (error.status === "RESOURCE_EXHAUSTED") return error.http === 429;
  return error.temporary && (call.method !== "POST" || Boolean(call.key) || call.repeatable === true);
}

/** @param {Call["query"]} query */
function search(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/**
 * A name that nobody else draws: for requests, idempotency keys and rows.
 * @param {string} prefix
 */
export function randomId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
