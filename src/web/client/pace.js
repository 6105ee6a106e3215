// Waiting: pauses that grow and are jittered, that can be called off, and tasks that take turns.
// Promises: no pause is longer than its bound, and none outlives its signal.
// @ts-check

import { closed } from "./error.js";

/** The longest that a timer of JavaScript can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * What is used here of an AbortSignal.
 * @typedef {object} Signal
 * @property {boolean} aborted
 * @property {any} reason
 * @property {(type: "abort", listener: () => void, options?: { once?: boolean }) => void} addEventListener
 * @property {(type: "abort", listener: () => void) => void} removeEventListener
 */

/** A signal that any number may listen to; of an AbortSignal with many listeners Node warns. @implements {Signal} */
export class Ending {
  aborted = false;
  /** @type {any} */
  reason = undefined;
  /** @type {Set<() => void>} */
  #listeners = new Set();

  /** @param {"abort"} _type @param {() => void} listener */
  addEventListener(_type, listener) {
    this.#listeners.add(listener);
  }

  /** @param {"abort"} _type @param {() => void} listener */
  removeEventListener(_type, listener) {
    this.#listeners.delete(listener);
  }

  /** @param {unknown} reason */
  abort(reason) {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.#listeners]) listener();
    this.#listeners.clear();
  }
}

/**
 * The pause before try number `tries` (0, 1, ...): between half of what doubling gives and all of it,
 * so that clients that failed together come back apart.
 * @param {number} tries
 * @param {number} firstMs
 * @param {number} mostMs
 */
export function pause(tries, firstMs, mostMs) {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(tries, 30));
  return full * (0.5 + Math.random() / 2);
}

/**
 * @param {number} ms
 * @param {Signal} [signal]
 * @returns {Promise<void>}
 */
export function wait(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw signal.reason;
    const timer = setTimeout(done, Math.min(Math.max(ms, 0), TIMER_MS_MAX));
    signal?.addEventListener("abort", aborted, { once: true });
    function done() {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }
    function aborted() {
      clearTimeout(timer);
      reject(signal?.reason);
    }
  });
}

/** An alarm that can be set anew; only the last setting rings. */
export class Alarm {
  /**
   * @param {() => void} ring
   * @param {boolean} [holds] whether a process of Node goes on for its sake
   */
  constructor(ring, holds = true) {
    this.ring = ring;
    this.holds = holds;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {number} ms */
  set(ms) {
    this.clear();
    this.timer = setTimeout(this.ring, Math.min(Math.max(ms, 0), TIMER_MS_MAX));
    if (!this.holds && typeof this.timer === "object") this.timer.unref();
  }

  clear() {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}

/** Lets at most so many tasks run at once; the others wait in order. */
export class Turns {
  /** @param {number} atOnce */
  constructor(atOnce) {
    this.free = atOnce;
    /** @type {Array<() => void>} */
    this.waiting = [];
  }

  /**
   * @template T
   * @param {() => Promise<T>} task
   * @returns {Promise<T>}
   */
  async run(task) {
    if (this.free > 0) this.free -= 1;
    else await new Promise((resolve) => this.waiting.push(() => resolve(undefined)));
    try {
      return await task();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

/**
 * A signal that fires with any of these, and after so many milliseconds if that is more than 0.
 * Call `end` when it is of no more use.
 * @param {Array<Signal | undefined>} signals
 * @param {number} [ms]
 */
export function anyOf(signals, ms = 0) {
  const controller = new AbortController();
  let late = false;
  const fired = () => controller.abort(signals.find((signal) => signal?.aborted)?.reason ?? closed());
  const alarm = new Alarm(() => {
    late = true;
    controller.abort();
  });
  for (const signal of signals) {
    if (signal?.aborted) fired();
    signal?.addEventListener("abort", fired, { once: true });
  }
  if (ms > 0) alarm.set(ms);
  return {
    signal: controller.signal,
    /** Whether the time ran out. */
    late: () => late,
    end() {
      alarm.clear();
      for (const signal of signals) signal?.removeEventListener("abort", fired);
    },
  };
}

/**
 * Waits for something that others wait for too: an aborted signal ends this wait only.
 * @template T
 * @param {Promise<T>} promise
 * @param {...(Signal | undefined)} signals
 * @returns {Promise<T>}
 */
export async function unless(promise, ...signals) {
  const any = anyOf(signals);
  /** @type {Promise<never>} */
  const aborted = new Promise((_, reject) => {
    const fired = () => reject(any.signal.reason);
    if (any.signal.aborted) fired();
    else any.signal.addEventListener("abort", fired);
  });
  return Promise.race([promise, aborted]).finally(any.end);
}
