// A WebSocket for Node before 22, which has none: RFC 6455, the client's side, as much of the
// browsers' interface as link.js uses.
//
// Promises: frames are masked, fragments put together, pings answered; what breaks the protocol, is
// larger than MESSAGE_BYTES_MAX or in more fragments than FRAGMENTS_MAX ends the connection, after
// which nothing is gathered any more; a close is answered and told with its code.
// @ts-check

import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";

/** Bytes of a message at most: more than a hub sends in one. */
const MESSAGE_BYTES_MAX = 16 << 20;
/** Fragments of a message at most: empty ones add nothing to its length. */
const FRAGMENTS_MAX = 10_000;
/** Milliseconds that the other side has to answer a close. */
const CLOSE_MS = 2_000;
/** What the other side mixes the key with, RFC 6455 section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const OP = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

export class NodeSocket extends EventTarget {
  /** @param {string} url */
  constructor(url) {
    super();
    /** @type {import("node:net").Socket | null} */
    this.socket = null;
    /** @type {Buffer[]} */
    this.parts = [];
    /** Bytes of them. */
    this.gathered = 0;
    /** @type {Buffer} */
    this.rest = Buffer.alloc(0);
    this.over = false;
    this.closing = false;
    const address = url.replace(/^ws/, "http");
    const key = randomBytes(16).toString("base64");
    const request = (address.startsWith("https:") ? https : http).get(address, {
      headers: { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key },
      agent: false,
    });
    this.request = request;
    request.on("upgrade", (response, socket, head) => {
      const accept = createHash("sha1").update(key + GUID).digest("base64");
      if (response.headers["sec-websocket-accept"] !== accept) return this.#end(1006, socket);
      this.#begin(/** @type {import("node:net").Socket} */ (socket), head);
    });
    request.on("response", (response) => {
      response.resume();
      this.#end(1006);
    });
    request.on("error", () => this.#end(1006));
  }

  /** @param {import("node:net").Socket} socket @param {Buffer} head */
  #begin(socket, head) {
    if (this.over) return void socket.destroy();
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => this.#read(bytes));
    socket.on("error", () => this.#end(1006));
    socket.on("close", () => this.#end(1006));
    this.dispatchEvent(new Event("open"));
    if (head.length > 0) this.#read(head);
  }

  /** @param {string} text */
  send(text) {
    this.#write(OP.text, Buffer.from(text));
  }

  /** @param {number} [code] */
  close(code = 1000) {
    if (this.over || this.closing) return;
    this.closing = true;
    if (!this.socket) return this.#end(1006);
    this.#write(OP.close, codeBytes(code));
    setTimeout(() => this.#end(1006), CLOSE_MS).unref();
  }

  /** @param {number} op @param {Buffer} payload */
  #write(op, payload) {
    if (!this.socket || this.over) return;
    const { length } = payload;
    const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
    const frame = Buffer.alloc(2 + extra + 4 + length);
    frame[0] = 0x80 | op;
    frame[1] = 0x80 | (extra === 0 ? length : extra === 2 ? 126 : 127);
    if (extra === 2) frame.writeUInt16BE(length, 2);
    if (extra === 8) frame.writeBigUInt64BE(BigInt(length), 2);
    const mask = randomBytes(4);
    mask.copy(frame, 2 + extra);
    const start = 6 + extra;
    for (let at = 0; at < length; at += 1) frame[start + at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
    this.socket.write(frame);
  }

  /** @param {Buffer} bytes */
  #read(bytes) {
    if (this.over) return;
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    while (!this.over) {
      const frame = this.#frame();
      if (!frame) return;
      this.#take(frame);
    }
  }

  /** The next whole frame of what has come. */
  #frame() {
    const { rest } = this;
    const [first, second] = rest;
    if (first === undefined || second === undefined) return null;
    const short = second & 0x7f;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (rest.length < 2 + extra) return null;
    const length = extra === 0 ? short : extra === 2 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    // Servers do not mask, and nothing was agreed on that would use the reserved bits.
    const wrong = (second & 0x80) !== 0 || (first & 0x70) !== 0 || ((first & 8) !== 0 && (length > 125 || first < 0x80));
    if (wrong || length > MESSAGE_BYTES_MAX) return this.#fail(wrong ? 1002 : 1009);
    const end = 2 + extra + length;
    if (rest.length < end) return null;
    this.rest = rest.subarray(end);
    return { last: first >= 0x80, op: first & 0x0f, payload: rest.subarray(2 + extra, end) };
  }

  /** @param {{ last: boolean, op: number, payload: Buffer }} frame */
  #take({ last, op, payload }) {
    if (op === OP.ping) return this.#write(OP.pong, payload);
    if (op === OP.pong) return;
    if (op === OP.close) {
      const code = payload.length === 0 ? 1005 : payload.length === 1 ? 0 : payload.readUInt16BE(0);
      if (payload.length > 0 && !mayBeSent(code)) return void this.#fail(1002);
      if (!this.closing) this.#write(OP.close, payload.length >= 2 ? codeBytes(code) : Buffer.alloc(0));
      return this.#end(code);
    }
    const begun = this.parts.length > 0;
    if ((op === OP.more) !== begun || (op !== OP.more && op !== OP.text)) return void this.#fail(op === OP.binary ? 1003 : 1002);
    // An empty first fragment has begun a message too.
    this.parts.push(payload);
    this.gathered += payload.length;
    if (this.gathered > MESSAGE_BYTES_MAX || this.parts.length > FRAGMENTS_MAX) return void this.#fail(1009);
    if (!last) return;
    const whole = Buffer.concat(this.parts);
    this.parts = [];
    this.gathered = 0;
    let data;
    try {
      data = new TextDecoder("utf-8", { fatal: true }).decode(whole);
    } catch {
      return void this.#fail(1007);
    }
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }

  /** @param {number} code */
  #fail(code) {
    this.#write(OP.close, codeBytes(code));
    this.#end(code);
    return null;
  }

  /** @param {number} code @param {import("node:stream").Duplex | null} [socket] */
  #end(code, socket = this.socket) {
    if (this.over) return;
    this.over = true;
    this.parts = [];
    this.gathered = 0;
    this.rest = Buffer.alloc(0);
    if (socket) socket.end();
    const lingering = socket ?? this.request;
    setTimeout(() => lingering.destroy(), CLOSE_MS).unref();
    if (!socket) this.request.destroy();
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}

/** Whether a close frame may carry this code, RFC 6455 section 7.4. @param {number} code */
function mayBeSent(code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/** @param {number} code */
function codeBytes(code) {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return bytes;
}
