// A client in Node whose calls and frames a test can hold, change or lose.
//
// `net.call(url, how)` may answer in the hub's stead, or throw; `net.frame(frame)` gives what is heard
// instead of a frame, `null`: nothing. `net.hear(frame)` lets the client hear one that the hub never sent.

import { Talk } from "../../../src/web/client/index.js";
import { NodeSocket } from "../../../src/web/client/node-socket.js";
import { eventually } from "./eventually.mjs";

/**
 * @param {import("node:test").TestContext} t
 * @param {string} url
 * @param {object} [options] of the client; `token`: whose it is
 */
export function tampered(t, url, { token, ...options } = {}) {
  const net = {
    /** @type {((url: string, how: any) => any) | null} */
    call: null,
    /** @type {((frame: any) => any) | null} */
    frame: null,
    /** @type {((address: string) => string) | null} */
    address: null,
    sockets: 0,
    calls: 0,
    hear: (frame) => net.socket.dispatchEvent(message(frame)),
  };
  class Socket extends NodeSocket {
    constructor(address) {
      super(net.address ? net.address(address) : address);
      net.socket = this;
      net.sockets += 1;
    }

    dispatchEvent(event) {
      if (event.type !== "message" || !net.frame) return super.dispatchEvent(event);
      const heard = net.frame(JSON.parse(event.data));
      return heard === null || super.dispatchEvent(message(heard));
    }
  }
  const call = async (address, how) => {
    net.calls += 1;
    const aborted = new Promise((_, reject) => how.signal.addEventListener("abort", () => reject(how.signal.reason)));
    aborted.catch(() => {});
    return (await Promise.race([net.call?.(address, how), aborted])) ?? fetch(address, how);
  };
  const all = { ...options, url, fetch: call, WebSocket: Socket };
  const talk = token ? Talk.withToken(token, all) : new Talk(all);
  t.after(() => talk.close());
  const live = () => eventually("it is live", () => talk.live.state === "live");
  return { talk, net, live };
}

function message(frame) {
  return Object.assign(new Event("message"), { data: JSON.stringify(frame) });
}

/** An answer of the hub's. @param {number} status @param {string} [word] @param {string} [reason] */
export function refusal(status, word, reason) {
  const error = word ? { status: word, reason, message: "made up", request_id: "req_1" } : undefined;
  return new Response(JSON.stringify({ error }), { status });
}

/** Something that others wait at until it is opened; `reached` says whether somebody does. */
export function gate() {
  const one = { reached: false, open: () => {}, pass: async () => {} };
  const opened = new Promise((resolve) => (one.open = () => resolve(undefined)));
  one.pass = async () => {
    one.reached = true;
    await opened;
  };
  return one;
}
