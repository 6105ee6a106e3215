// What can be set, and what it is when it is not.
// @ts-check

/** @import { Options } from "./index.js" */

/**
 * @param {Options} [given]
 */
export function settled(given = {}) {
  const urls = [given.url ?? globalThis.location?.origin ?? "http://127.0.0.1:8080"].flat();
  return {
    urls: urls.map((url) => url.replace(/\/+$/, "")),
    credentials: given.credentials ?? null,
    storage: given.storage ?? safeStorage(),
    keep: { messages: 50, openMessages: 20_000, preload: 50, ...given.keep },
    retry: { tries: 6, firstMs: 250, mostMs: 10_000, totalMs: 60_000, ...given.retry },
    tryMs: given.tryMs ?? 15_000,
    stallMs: given.stallMs ?? 60_000,
    live: {
      quietMs: 20_000,
      answerMs: 10_000,
      firstMs: 500,
      mostMs: 30_000,
      spreadMs: 3_000,
      faultMs: 60_000,
      waitingEvents: 10_000,
      ...given.live,
    },
    fetch: given.fetch ?? globalThis.fetch.bind(globalThis),
    WebSocket: given.WebSocket ?? globalThis.WebSocket,
  };
}

/** @typedef {ReturnType<typeof settled>} Settled */

/** Browsers may forbid the storage, and then already looking at it throws. */
function safeStorage() {
  try {
    if (globalThis.localStorage) return globalThis.localStorage;
  } catch {
    // Then marks last as long as the page.
  }
  /** @type {Map<string, string>} */
  const kept = new Map();
  return {
    getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void kept.set(key, value),
    removeItem: (/** @type {string} */ key) => void kept.delete(key),
  };
}
