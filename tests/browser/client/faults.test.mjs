// What happens to hubs and links, and what the client makes of it: it comes back by itself, and its
// model is the hub's.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Talk } from "../../../src/web/client/index.js";
import { NodeSocket } from "../../../src/web/client/node-socket.js";
import { Crowd } from "../kit/crowd.mjs";
import { DEVICES } from "../kit/devices.mjs";
import { eventually, luck } from "../kit/eventually.mjs";
import { Hub, Redis } from "../kit/hub.mjs";
import { agent, call, owners, people } from "../kit/people.mjs";
import { Proxy } from "../kit/proxy.mjs";
import { comesOutEqual } from "../kit/truth.mjs";

const LIVE = { firstMs: 50, mostMs: 500, spreadMs: 200, quietMs: 400, answerMs: 3_000 };
const QUICK = { live: LIVE, retry: { firstMs: 50, mostMs: 500 } };

/** A customer's people, a chat of them all, and a client that is live in it. */
async function scene(t, device, hub, url, options = {}) {
  await device.start();
  t.after(() => device.stop());
  const [watcher, ...talkers] = await people(hub, "Watcher", "Ada", "Bo", "Cleo");
  const { calls } = Talk.withToken(watcher.token, { url: hub.url });
  const chat = await calls.createChat({ type: "talk", name: "lobby", participants: owners(...talkers) });
  const quiet = await calls.createChat({ type: "group", name: "quiet", participants: owners(talkers[0]) });
  const client = await device.client([url].flat()[0], { ...QUICK, ...options, url, token: watcher.token });
  t.after(() => client.close());
  await client.run((talk) => {
    talk.told = [];
    talk.live.subscribe((status) => talk.told.push(`${status.state}: ${status.reason}`));
    return talk.start().then(() => {});
  });
  await client.run((talk, id) => talk.store.open(id).then(() => {}), chat.id);
  const post = (text, who = talkers[0], at = hub.url) =>
    call(at, "POST", "/v1.0/service_agents/talk_messages", { chat_id: chat.id, text }, who.token);
  const reaches = (what) => eventually(what, () => client.run((talk, told) => talk.told.includes(told), what));
  const live = () => eventually("it is live", () => client.run((talk) => talk.live.state === "live"));
  await live();
  return { watcher, talkers, calls, chat, quiet, client, post, reaches, live };
}

async function started(t, settings) {
  const hub = await Hub.start(settings);
  t.after(() => hub.stop());
  return hub;
}

for (const device of DEVICES) {
  test(`a hub that restarts takes its clients back (${device.name})`, async (t) => {
    const hub = await started(t, { "server.drain_secs": 1, "server.linger_secs": 0 });
    const { post, reaches, live, client, calls } = await scene(t, device, hub, hub.url);
    await post("before");
    await hub.leave();
    await reaches("waiting: restart");
    await hub.again();
    await post("after");
    await live();
    await comesOutEqual(client, calls);
    await hub.kill();
    await hub.again();
    await post("after a crash");
    await comesOutEqual(client, calls);
  });

  test(`a link that stalls is noticed without a word from it (${device.name})`, async (t) => {
    const hub = await started(t, {});
    const proxy = await Proxy.to(hub.url);
    t.after(() => proxy.stop());
    // Calls go over connections that stall as well, of which a browser keeps several: one try each.
    const { post, reaches, client, calls } = await scene(t, device, hub, proxy.url, { tryMs: 2_000 });
    proxy.stall();
    await post("nobody hears this");
    await reaches("waiting: no answer");
    await comesOutEqual(client, calls);
  });

  test(`what cannot be resumed any more is read anew, and only that chat (${device.name})`, async (t) => {
    const hub = await started(t, { "limits.resume_events_max": 1_000 });
    const proxy = await Proxy.to(hub.url);
    t.after(() => proxy.stop());
    const { post, client, calls, chat, quiet, watcher } = await scene(t, device, hub, proxy.url);
    await comesOutEqual(client, calls);
    proxy.mode = "refused";
    proxy.cut();
    const all = Array.from({ length: 1_100 }, (_, number) => `message ${number}`);
    while (all.length > 0) await Promise.all(all.splice(0, 50).map((text) => post(text)));
    const asked = [];
    proxy.onAnswer = (line) => void asked.push(line);
    proxy.mode = "through";
    await comesOutEqual(client, calls);
    assert.ok(asked.some((line) => line.includes(`chat_id=${chat.id}`)), "it was read anew");
    assert.ok(!asked.some((line) => line.includes(`chat_id=${quiet.id}`)), `${watcher.id}: nothing else was`);
  });

  test(`a history that was rewritten is read anew (${device.name})`, async (t) => {
    const redis = await Redis.start();
    t.after(() => redis.stop());
    const hub = await started(t, { "store.kind": "redis", "store.url": redis.url });
    const { post, client, calls } = await scene(t, device, hub, hub.url);
    for (let count = 0; count < 5; count += 1) await post(`kept ${count}`);
    await comesOutEqual(client, calls);
    const kept = await redis.snapshot();
    for (let count = 0; count < 5; count += 1) await post(`lost ${count}`);
    await comesOutEqual(client, calls);
    await redis.restore(kept);
    await hub.kill();
    await hub.again();
    for (let count = 0; count < 7; count += 1) await post(`other ${count}`);
    await comesOutEqual(client, calls);
    const texts = Object.values(await client.shown()).flatMap(({ messages }) => messages.map(({ text }) => text));
    assert.ok(texts.includes("other 6") && texts.includes("kept 4") && !texts.includes("lost 0"));
  });

  test(`a credential that is revoked ends it, and says so (${device.name})`, async (t) => {
    const hub = await started(t, {});
    const { watcher, client, reaches } = await scene(t, device, hub, hub.url);
    const admin = await agent(hub, watcher.customer_id, "Admin", 48);
    await call(hub.url, "DELETE", `/v1.0/agents/${watcher.id}`, undefined, admin.token);
    await reaches("signed-out: credential");
    assert.equal(await client.run((talk) => talk.store.chats.size + Number(talk.me !== null)), 0);
  });
}

test("a node that is killed is left for the next, and nothing is lost", async (t) => {
  const [device] = DEVICES;
  if (device.name !== "node") return t.skip("browsers have one address, that of a load balancer");
  const redis = await Redis.start();
  t.after(() => redis.stop());
  const shared = { "store.kind": "redis", "store.url": redis.url };
  const nodes = [await started(t, shared), await started(t, shared)];
  const [stays, goes] = nodes;
  const urls = nodes.map(({ url }) => url);
  const { talkers, chat, client, calls, live } = await scene(t, device, stays, urls);
  const crowd = new Crowd(stays.url, talkers, [chat.id], luck(3));
  for (let round = 0; round < 3; round += 1) {
    crowd.running = true;
    crowd.start();
    const enough = crowd.done + 40;
    await eventually("people talk", () => crowd.done >= enough);
    await goes.kill();
    const more = crowd.done + 40;
    await eventually("people talk on", () => crowd.done >= more);
    await live();
    await crowd.stop();
    await comesOutEqual(client, calls);
    await goes.again();
  }
});

// ---- what a hub never does, or hardly ever: done to the frames on their way ----------------------

/** A socket whose frames can be meddled with. */
class Meddled extends NodeSocket {
  /** @type {Meddled | null} */
  static newest = null;
  static meddle = (event) => [event];

  constructor(url) {
    super(url);
    Meddled.newest = this;
  }

  dispatchEvent(event) {
    if (event.type !== "message") return super.dispatchEvent(event);
    for (const one of Meddled.meddle(event)) super.dispatchEvent(one);
    return true;
  }
}

const copy = (event) => Object.assign(new Event("message"), { data: event.data });

for (const [what, meddle] of [
  ["is missing", () => []],
  ["comes twice", (event) => [event, copy(event)]],
]) {
  test(`an event that ${what} makes it resume, and is shown once`, async (t) => {
    const hub = await started(t, {});
    const [device] = DEVICES;
    if (device.name !== "node") return t.skip("frames are meddled with in Node only");
    const { post, reaches, client, calls } = await scene(t, device, hub, hub.url, { WebSocket: Meddled });
    Meddled.meddle = (event) => {
      if (!event.data.includes("spoiled")) return [event];
      Meddled.meddle = (next) => [next];
      return meddle(event);
    };
    await post("spoiled");
    await post("next");
    await reaches("waiting: gap");
    await comesOutEqual(client, calls);
  });
}

test("who was too slow comes back at once; who broke the protocol waits long", async (t) => {
  const hub = await started(t, {});
  const [device] = DEVICES;
  if (device.name !== "node") return t.skip("closes are made up in Node only");
  const { reaches, live, client } = await scene(t, device, hub, hub.url, { WebSocket: Meddled });
  const close = (code) => Meddled.newest.dispatchEvent(Object.assign(new Event("close"), { code }));
  close(4008);
  await reaches("waiting: slow");
  await live();
  close(1008);
  await reaches("waiting: protocol");
  const { retryAt } = client.talk.live;
  assert.ok(retryAt - Date.now() > 40_000, "it backs off for about a minute");
  client.talk.live.retryNow();
  await live();
});
