// Waiting for what is to happen: asked again and again, at one pace, until a bound.
// Promises: a wait that is over says what was waited for and what was there instead.

const POLL_MS = 20;

/**
 * What `look` gives once it is neither undefined, null nor false; what it throws counts as not yet.
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} look
 * @param {number} [ms]
 * @returns {Promise<T>}
 */
export async function eventually(what, look, ms = 20_000) {
  const until = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== null && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) throw new Error(`not within ${ms} ms: ${what}; last: ${last?.stack ?? last}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Numbers that look random and are the same for the same seed. @param {number} seed */
export function luck(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    /** 0 to below `most`. @param {number} most */
    below: (most) => Math.floor(next() * most),
    /** @template T @param {readonly T[]} all @returns {T} */
    one: (all) => all[Math.floor(next() * all.length)],
  };
}
