// The WebSocket for Node, against a server that speaks byte by byte.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { test } from "node:test";

import { NodeSocket } from "../../../src/web/client/node-socket.js";
import { eventually } from "../kit/eventually.mjs";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A server that upgrades, then sends these bytes in pieces of this size; what comes back is in `frames`. */
async function scene(t, bytes, piece = Infinity, accept = true) {
  const frames = [];
  const server = createServer((socket) => {
    let head = "";
    let upgraded = false;
    let rest = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      if (upgraded) {
        rest = Buffer.concat([rest, data]);
        for (let frame = read(rest); frame; frame = read(rest)) {
          frames.push(frame);
          rest = rest.subarray(frame.bytes);
        }
        return;
      }
      head += data.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      upgraded = true;
      const key = /sec-websocket-key: (.*)\r\n/i.exec(head)[1];
      const sum = createHash("sha1").update((accept ? key : "another") + GUID).digest("base64");
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${sum}\r\n\r\n`);
      for (let at = 0; at < bytes.length; at += piece) socket.write(bytes.subarray(at, Math.min(at + piece, bytes.length)));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  t.after(() => server.close());
  const socket = new NodeSocket(`ws://127.0.0.1:${server.address().port}/`);
  t.after(() => socket.close());
  const heard = [];
  socket.addEventListener("message", (event) => heard.push(event.data));
  const closed = new Promise((resolve) => socket.addEventListener("close", (event) => resolve(event.code)));
  return { socket, heard, closed, frames };
}

/** A client's frame. */
function read(bytes) {
  if (bytes.length < 6) return null;
  assert.ok(bytes[1] & 0x80, "frames of clients are masked");
  const short = bytes[1] & 0x7f;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  const length = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const start = 6 + extra;
  if (bytes.length < start + length) return null;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(bytes.subarray(start, start + length)).map((byte, at) => byte ^ mask[at & 3]);
  return { op: bytes[0] & 0x0f, payload: Buffer.from(payload), bytes: start + length };
}

/** A server's frame. */
function frame(first, payload) {
  const body = Buffer.from(payload);
  if (body.length < 126) return Buffer.concat([Buffer.from([first, body.length]), body]);
  const head = Buffer.alloc(body.length < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = head.length === 4 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(body.length, 2);
  else head.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([head, body]);
}

for (const piece of [1, 7, Infinity]) {
  test(`messages of every length come whole, in pieces of ${piece}`, async (t) => {
    const texts = ["", "ä", "x".repeat(125), "y".repeat(126), "z".repeat(70_000)].slice(0, piece === 1 ? 4 : 5);
    const { heard } = await scene(t, Buffer.concat(texts.map((text) => frame(0x81, text))), piece);
    await eventually("all came", () => heard.length === texts.length);
    assert.deepEqual(heard, texts);
  });
}

test("fragments are put together, with a ping between that is answered", async (t) => {
  const euro = Buffer.from("€");
  const bytes = [frame(0x01, euro.subarray(0, 1)), frame(0x89, "are you there"), frame(0x00, euro.subarray(1)), frame(0x80, "")];
  const { heard, frames } = await scene(t, Buffer.concat(bytes), 1);
  await eventually("it came", () => heard.length === 1);
  assert.deepEqual(heard, ["€"]);
  await eventually("the ping was answered", () => frames.length === 1);
  assert.deepEqual([frames[0].op, frames[0].payload.toString()], [10, "are you there"]);
});

test("a close is answered, and told with its code", async (t) => {
  const { closed, frames } = await scene(t, frame(0x88, Buffer.from([0x03, 0xf4])));
  assert.equal(await closed, 1012);
  await eventually("it was answered", () => frames.length === 1);
  assert.equal(frames[0].payload.readUInt16BE(0), 1012);
});

for (const [what, bytes, code] of [
  ["a masked frame", Buffer.from([0x81, 0x80, 0, 0, 0, 0]), 1002],
  ["reserved bits", Buffer.from([0xc1, 0x00]), 1002],
  ["a binary message", frame(0x82, "x"), 1003],
  ["a continuation of nothing", frame(0x80, "x"), 1002],
  ["a message within a message", Buffer.concat([frame(0x01, ""), frame(0x81, "x")]), 1002],
  ["a ping in fragments", frame(0x09, "x"), 1002],
  ["what is not UTF-8", frame(0x81, Buffer.from([0xff])), 1007],
  ["a close with half a code", frame(0x88, Buffer.from([0x03])), 1002],
  ["a close with a code that may not be sent", frame(0x88, Buffer.from([0x03, 0xed])), 1002],
  ["a message of nothing but fragments", Buffer.concat([frame(0x01, ""), ...Array.from({ length: 10_001 }, () => frame(0x00, ""))]), 1009],
  ["a message beyond all bounds", Buffer.from([0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0]), 1009],
]) {
  test(`${what} ends the connection with ${code}`, async (t) => {
    const { closed, heard } = await scene(t, bytes);
    assert.equal(await closed, code);
    assert.deepEqual(heard, []);
  });
}

test("a server that does not know the handshake, or nobody at all, is a lost connection", async (t) => {
  const { closed } = await scene(t, Buffer.alloc(0), 1, false);
  assert.equal(await closed, 1006);
  const nobody = new NodeSocket("ws://127.0.0.1:1/");
  assert.equal(await new Promise((resolve) => nobody.addEventListener("close", (event) => resolve(event.code))), 1006);
});

test("what is sent arrives, of every length", async (t) => {
  const { socket, frames } = await scene(t, Buffer.alloc(0));
  await new Promise((resolve) => socket.addEventListener("open", () => resolve()));
  const texts = ["", "ü".repeat(60), "x".repeat(126), "y".repeat(70_000)];
  for (const text of texts) socket.send(text);
  await eventually("all came", () => frames.length === texts.length);
  assert.deepEqual(frames.map(({ payload }) => payload.toString()), texts);
});
