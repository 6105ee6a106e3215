// The model by itself, over random histories: whatever order answers and events come in, it comes
// out equal to what the hub has; what was sent from here is shown once at every moment.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatModel } from "../../../src/web/client/chat-model.js";
import { TalkError } from "../../../src/web/client/error.js";
import { luck as seeded } from "../kit/eventually.mjs";
import { World } from "./world.mjs";

const HISTORIES = Number(process.env.TALK_TEST_HISTORIES ?? 3_000);
const STEPS = 120;
const NO_ANSWER = { status: "NETWORK", reason: "NO_ANSWER", message: "no answer" };

/** A client of that world: what the rest of the library does to a model, step by step. */
class Client {
  constructor(world, luck) {
    this.world = world;
    this.luck = luck;
    this.model = new ChatModel(world.chat(), "me", { onNews: () => {}, logMost: 10_000 });
    this.stale = true;
    /** @type {any[]} */
    this.reads = [];
    this.sent = 0;
    /** @type {any[]} */
    this.posts = [];
  }

  /** The next event comes over the link. */
  hear() {
    if (this.model.seq < this.world.seq) assert.ok(this.model.apply(this.world.frame(this.model.seq + 1)));
  }

  ask() {
    const { model } = this;
    const oldest = model.timeline[0]?.message.seq;
    const kind = this.stale ? "fresh" : model.doubts.size > 0 ? "doubts" : oldest && !model.reachesBeginning ? "older" : "fresh";
    this.reads.push({ kind, read: model.beginRead(), oldest, ids: [...model.doubts], history: this.world.history });
  }

  /** The hub reads what was asked: at some moment between asking and merging. */
  look(one) {
    const { now } = this.world;
    const size = 5;
    one.members = now.members;
    if (one.kind === "doubts") one.rows = now.messages.filter((row) => one.ids.includes(row.id));
    else {
      const before = now.messages.filter((row) => one.kind === "fresh" || row.seq < one.oldest);
      one.rows = before.slice(-size);
      one.whole = before.length < size;
    }
  }

  merge(one) {
    if (!one.rows) this.look(one);
    const chat = this.world.chat();
    const placed = one.kind === "fresh" || (one.kind === "older" && this.model.timeline[0]?.message.seq === one.oldest);
    const taken =
      // An answer of a history that is no more is not merged: the epoch says so.
      this.model.merge(one.read, {
        rows: placed || one.kind === "doubts" ? one.rows : [],
        placed,
        fresh: one.kind === "fresh",
        reachesBeginning: placed && one.whole,
        members: one.kind === "doubts" ? undefined : one.members,
        chat,
        hi: chat.seq,
      });
    if (taken && one.kind === "fresh") this.stale = false;
    this.model.endRead();
    this.reads = this.reads.filter((other) => other !== one);
  }

  send() {
    this.sent += 1;
    // Some look the same.
    const text = this.luck.below(3) === 0 ? "again" : `mine ${this.sent}`;
    const shown = { ...this.world.now.messages[0], id: "", owner_id: "me", text, seq: Infinity };
    const state = { state: "queued", error: null, settled: null, claimed: null, after: this.model.seq };
    this.model.outgoing.add({ key: `row-${this.sent}`, idempotencyKey: `${this.sent}`, draft: { text }, shown, ...state });
  }

  /** The message reaches the hub; its answer comes later, or never. */
  post() {
    const one = this.model.outgoing.next();
    if (!one) return;
    one.state = "sending";
    this.posts.push({ one, answer: this.world.post("me", one.draft.text, undefined) });
  }

  answer() {
    const post = this.posts.shift();
    if (!post) return;
    // Refused by no answer, its row says so or was found by its event; the retry brings the answer.
    if (this.luck.below(4) === 0) this.model.outgoing.fail(post.one, new TalkError(NO_ANSWER));
    if (this.model.outgoing.pending.includes(post.one)) this.model.outgoing.settle(post.one, post.answer);
  }

  /** The hub says that the history is another one. */
  rewritten() {
    this.world.rewrite(this.luck.below(6));
    this.model.rebase(this.world.seq, this.world.cursor(this.world.seq));
    this.stale = true;
    this.posts = [];
    for (const one of [...this.model.outgoing.pending]) {
      if (one.state !== "failed") this.model.outgoing.fail(one, new TalkError({ ...NO_ANSWER, status: "GONE" }));
      this.model.outgoing.discard(one);
    }
  }

  step() {
    const kind = this.luck.below(20);
    if (kind < 6) this.world.happen();
    else if (kind < 12) this.hear();
    else if (kind < 14) this.ask();
    else if (kind === 14 && this.reads.length > 0) this.look(this.luck.one(this.reads));
    else if (kind < 17 && this.reads.length > 0) this.merge(this.luck.one(this.reads));
    else if (kind === 17) this.send();
    else if (kind === 18) this.post();
    else if (kind === 19) this.answer();
  }

  /** Everything that is under way ends. */
  finish() {
    while (this.posts.length > 0 || this.model.outgoing.next()) {
      this.post();
      this.answer();
    }
    while (this.reads.length > 0) this.merge(this.reads[0]);
    while (this.model.seq < this.world.seq) this.hear();
    for (let tries = 0; this.stale || this.model.doubts.size > 0 || !this.model.reachesBeginning; tries += 1) {
      assert.ok(tries < 100, "it never comes to rest");
      this.ask();
      this.merge(this.reads[0]);
    }
  }

  /** What must hold at every moment. */
  check() {
    const rows = this.model.rows;
    const keys = rows.map((row) => row.key);
    assert.equal(new Set(keys).size, keys.length, `a row is there twice: ${keys}`);
    const ids = rows.map((row) => row.message.id).filter((id) => id !== "");
    assert.equal(new Set(ids).size, ids.length, `a message is there twice: ${ids}`);
    const order = this.model.timeline.map((known) => known.message.seq);
    assert.deepEqual(order, [...order].sort((a, b) => a - b));
  }
}

function assertEqual(model, world) {
  assert.deepEqual(model.chat, world.chat());
  const sort = (members) => [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(sort(model.members.values()), sort(world.now.members));
  assert.deepEqual(model.rows.map((row) => row.message), world.now.messages);
}

test(`${HISTORIES} random histories, with answers and events in any order, come out equal`, () => {
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    const luck = seeded(seed);
    const world = new World(luck);
    for (let before = luck.below(20); before > 0; before -= 1) world.happen();
    const client = new Client(world, luck);
    try {
      for (let step = 0; step < STEPS; step += 1) {
        client.step();
        client.check();
        if (seed % 5 === 0 && luck.below(40) === 0) client.rewritten();
      }
      client.finish();
      client.check();
      assertEqual(client.model, world);
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
});

test("an event that is not the next one is not taken", () => {
  const world = new World(seeded(1));
  const { model } = new Client(world, seeded(1));
  for (let count = 0; count < 3; count += 1) world.post("ada", "hello");
  assert.equal(model.apply(world.frame(3)), false);
  assert.equal(model.apply(world.frame(2)), true);
  assert.equal(model.apply(world.frame(2)), false);
  assert.equal(model.rows.length, 1);
});

test("a chat of 10,000 messages stays quick: each costs no more than a screen can wait for", () => {
  const world = new World(seeded(1));
  const { model } = new Client(world, seeded(1));
  world.post("ada", "hello");
  const first = world.frame(2);
  const began = performance.now();
  for (let count = 0; count < 10_000; count += 1) {
    const seq = model.seq + 1;
    assert.ok(model.apply({ ...first, seq, data: { ...first.data, id: `message-${seq}`, seq } }));
    // Looked at once for every ten: as in a burst, within a frame.
    if (count % 10 === 0) assert.equal(model.rows.length, count + 1);
  }
  const ms = (performance.now() - began) / 1_000;
  assert.ok(ms < 5, `${ms} ms for each look`);
});

test("a chat keeps no more messages than it may, and knows that there are older ones", () => {
  const world = new World(seeded(1));
  const { model } = new Client(world, seeded(1));
  for (let count = 0; count < 1_000; count += 1) {
    world.post("ada", "hello");
    model.apply(world.frame(model.seq + 1));
    model.trim(40);
    assert.ok(model.rows.length <= 50 && model.records.size <= 50);
  }
  assert.equal(model.reachesBeginning, false);
  assert.equal(model.unreadMore, true);
});
