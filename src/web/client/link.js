// One connection: frames out, frames in, answers found by their id, and a dead link noticed.
//
// Browsers cannot ping. So when nothing has come for a while, the link asks for a sign of life: it
// ends a subscription that there never was, which the hub answers by its id and which changes
// nothing. A link that does not answer in time is dead.
// @ts-check

import { Alarm } from "./pace.js";

/** @typedef {{ code: number, why: string }} End `code` 0: this side noticed a fault */

/** Code of a connection that ended without a word. */
const LOST = 1006;

export class Link {
  /**
   * @param {WebSocket} socket open or opening
   * @param {{ quietMs: number, answerMs: number }} times
   * @param {string} probe a topic that is subscribed to by nobody
   * @param {(frame: any) => void} onFrame
   */
  constructor(socket, times, probe, onFrame) {
    this.socket = socket;
    this.times = times;
    this.probe = probe;
    this.onFrame = onFrame;
    this.count = 0;
    /** @type {Map<string, { take: (frame: any) => void, resolve: () => void, reject: (end: End) => void, alarm: Alarm }>} */
    this.asked = new Map();
    /** @type {Alarm} */
    this.quiet = new Alarm(() => this.check());
    /** When the newest frame came, in milliseconds since 1970. */
    this.heardAt = Date.now();
    /** @type {End | null} */
    this.over = null;
    /** @type {(end: End) => void} */
    this.tellEnd = () => {};
    /** @type {Promise<End>} */
    this.ended = new Promise((resolve) => {
      this.tellEnd = resolve;
    });
    this.opening = new Alarm(() => this.end({ code: 0, why: "no answer" }));
    socket.addEventListener("message", (event) => this.#frame(event.data));
    socket.addEventListener("close", (event) => this.end({ code: event.code, why: "connection lost" }));
    socket.addEventListener("error", () => this.end({ code: LOST, why: "connection lost" }));
  }

  /** Resolves when it is open; rejects with its end. @returns {Promise<void>} */
  opened() {
    this.opening.set(this.times.answerMs);
    return new Promise((resolve, reject) => {
      void this.ended.then(reject);
      this.socket.addEventListener("open", () => {
        this.opening.clear();
        this.quiet.set(this.times.quietMs);
        resolve();
      });
    });
  }

  /**
   * Sends a frame and waits for its answer. Rejects with the end of the link, if it comes first.
   * @param {Record<string, unknown>} frame
   * @param {(answer: any) => void} [take] is called with the answer before the frames behind it are read
   * @returns {Promise<void>}
   */
  ask(frame, take = () => {}) {
    if (this.over) return Promise.reject(this.over);
    this.count += 1;
    const id = `q${this.count}`;
    return new Promise((resolve, reject) => {
      const alarm = new Alarm(() => this.end({ code: 0, why: "no answer" }));
      alarm.set(this.times.answerMs);
      this.asked.set(id, { take, resolve, reject, alarm });
      this.socket.send(JSON.stringify({ ...frame, id }));
    });
  }

  /** Asks for a sign of life now. */
  check() {
    if (this.over) return;
    this.ask({ type: "unsubscribe", topics: [this.probe] }).catch(() => {});
  }

  /** Ends it, for a reason of ours or of theirs; the first one counts. @param {End} end */
  end(end) {
    if (this.over) return;
    this.over = end;
    this.quiet.clear();
    this.opening.clear();
    for (const { reject, alarm } of this.asked.values()) {
      alarm.clear();
      reject(end);
    }
    this.asked.clear();
    this.tellEnd(end);
    try {
      this.socket.close(1000);
    } catch {
      // It was not even open.
    }
  }

  /** @param {unknown} data */
  #frame(data) {
    if (this.over) return;
    this.heardAt = Date.now();
    this.quiet.set(this.times.quietMs);
    /** @type {any} */
    let frame;
    try {
      frame = JSON.parse(String(data));
    } catch {
      this.end({ code: 0, why: "protocol" });
      return;
    }
    const asked = typeof frame?.id === "string" ? this.asked.get(frame.id) : undefined;
    if (asked) {
      this.asked.delete(frame.id);
      asked.alarm.clear();
      asked.take(frame);
      asked.resolve();
    } else {
      this.onFrame(frame);
    }
  }
}
