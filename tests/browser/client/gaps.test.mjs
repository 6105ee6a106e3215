// What happens between asking and answering, and while nobody listened: no hole, nothing stuck.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Talk } from "../../../src/web/client/index.js";
import { eventually } from "../kit/eventually.mjs";
import { Hub } from "../kit/hub.mjs";
import { agent, call, owners, people } from "../kit/people.mjs";
import { gate, refusal, tampered } from "../kit/tampered.mjs";

const QUICK = { live: { firstMs: 50, mostMs: 300, spreadMs: 100 }, retry: { firstMs: 20, mostMs: 50, tries: 2 } };

let hub;
before(async () => {
  hub = await Hub.start();
});
after(() => hub.stop());

/** Ada's client, live in a chat that Bo has made and filled. */
async function scene(t, messages = 0, options = QUICK) {
  const [ada, bo] = await people(hub, "Ada", "Bo");
  const { calls } = Talk.withToken(bo.token, { url: hub.url });
  const chat = await calls.createChat({ type: "group", name: "a group", participants: owners(ada) });
  for (let number = 0; number < messages; number += 1) await calls.createMessage({ chat_id: chat.id, text: `m${number}` });
  const { talk, net, live } = tampered(t, hub.url, { ...options, token: ada.token });
  await talk.start();
  const view = await talk.store.open(chat.id);
  await live();
  const resync = (of = view, reason = "rewritten") =>
    net.hear({ type: "resync", chat_id: of.id, reason, seq: of.chat.seq, cursor: of.chat.cursor });
  /** The next subscription says that the log of the chat does not reach back, and its events stay out. */
  const trimmed = () => {
    let cut = false;
    net.frame = (frame) => {
      if (cut && frame.chat_id === chat.id) return null;
      if (frame.type !== "subscribed") return frame;
      cut = true;
      return { ...frame, chats: { ...frame.chats, [chat.id]: { ...frame.chats[chat.id], recovered: false, reason: "trimmed" } } };
    };
  };
  return { ada, bo, calls, chat, talk, net, view, live, resync, trimmed };
}

const seqs = (view) => view.rows.map((row) => row.message.seq);
const holes = (view) => seqs(view).filter((seq, place, all) => place > 0 && seq !== all[place - 1] + 1);

test("an older page that comes after the chat was closed leaves no hole", async (t) => {
  const { talk, net, view, chat } = await scene(t, 180);
  await talk.store.loadOlder(chat.id);
  const held = gate();
  net.call = (url) => (url.endsWith(`/talk_chats/${chat.id}`) ? held.pass() : undefined);
  const older = talk.store.loadOlder(chat.id);
  await eventually("the page was read", () => held.reached);
  talk.store.close(chat.id);
  held.open();
  assert.equal(await older, 0);
  await talk.store.open(chat.id);
  assert.deepEqual(holes(view), []);
  while (!view.reachesBeginning) await talk.store.loadOlder(chat.id);
  assert.deepEqual(holes(view), []);
  assert.equal(view.rows[0].message.text, "m0");
});

test("a thread whose root is lost with the history leaves its chat in place", async (t) => {
  const { talk, net, view, calls, chat, resync } = await scene(t);
  const root = await calls.createMessage({ chat_id: chat.id, text: "root" });
  await calls.createMessage({ chat_id: chat.id, text: "reply", parent_id: root.id });
  const thread = await talk.store.openThread(root.id, chat.id);
  net.call = (url) => (url.includes(root.id) ? refusal(404, "NOT_FOUND", "TALK_MESSAGE_NOT_FOUND") : undefined);
  resync();
  await eventually("the chat was read anew", () => !view.fetching);
  assert.ok(talk.store.chats.has(chat.id));
  assert.equal(view.error, null);
  thread.close();
});

test("a thread that could not be read anew is read again until it can", async (t) => {
  const { talk, net, view, calls, chat, resync } = await scene(t);
  const root = await calls.createMessage({ chat_id: chat.id, text: "root" });
  const reply = await calls.createMessage({ chat_id: chat.id, text: "reply", parent_id: root.id });
  const thread = await talk.store.openThread(root.id, chat.id);
  net.call = (url) => (url.includes("parent_id") ? refusal(503) : undefined);
  resync();
  await eventually("it is said why", () => view.error);
  net.call = null;
  await eventually("the error is over", () => view.error === null && !view.fetching);
  await calls.addReaction(reply.id, "👍");
  await eventually("the thread follows again", () => thread.rows[0].message.metadata.reactions.length === 1);
});

test("chats that wait for their turn to be read anew say so", async (t) => {
  const { talk, calls, ada, resync } = await scene(t);
  for (let number = 0; number < 8; number += 1) await calls.createChat({ type: "group", name: `g${number}`, participants: owners(ada) });
  const all = () => [...talk.store.chats.values()];
  await eventually("all are there", () => all().length === 9 && all().every((view) => view.ready && !view.fetching));
  for (const view of all()) resync(view);
  assert.deepEqual(all().filter((view) => !view.fetching), []);
  await eventually("all were read", () => all().every((view) => !view.fetching));
});

test("a chat that was deleted while nobody listened goes, also when its log does not reach back", async (t) => {
  const { talk, calls, chat, live, trimmed } = await scene(t);
  talk.store.close(chat.id);
  talk.live.disconnect();
  await calls.deleteChat(chat.id);
  trimmed();
  talk.live.connect();
  await live();
  await eventually("it is gone", () => !talk.store.chats.has(chat.id));
});

test("an own message whose event nobody will hear any more does not stay the newest", async (t) => {
  const { talk, calls, chat, view, live, trimmed } = await scene(t);
  talk.live.disconnect();
  await talk.store.send(chat.id, { text: "mine" }).settled;
  for (let number = 0; number < 70; number += 1) await calls.createMessage({ chat_id: chat.id, text: `m${number}` });
  trimmed();
  talk.live.connect();
  await live();
  await eventually("the newest is the newest", () => view.newest.message.text === "m69");
  assert.deepEqual(holes(view), []);
});

test("a chat that cannot be read is asked for later and later, and who waits for it learns its end", async (t) => {
  const { talk, net, calls } = await scene(t, 0, { ...QUICK, live: { firstMs: 500 } });
  const chats = await Promise.all(["one", "two"].map((name) => calls.createChat({ type: "talk", name: `${name} ${process.pid}` })));
  const began = Date.now();
  let asked = 0;
  net.call = (url) => {
    if (url.includes(`chat_id=${chats[1].id}`)) return refusal(404, "NOT_FOUND", "CHAT_NOT_FOUND");
    if (!url.includes(`chat_id=${chats[0].id}`)) return undefined;
    asked += 1;
    return refusal(500);
  };
  const [waits, goes] = chats.map((chat) => talk.store.join(chat.id));
  waits.catch(() => {});
  await assert.rejects(goes, { reason: "NOT_IN_MODEL" });
  await eventually("it was asked for again", () => asked >= 3);
  assert.ok(Date.now() - began > 1_000, "with pauses");
  talk.close();
  await assert.rejects(waits, { reason: "CLOSED" });
});

test("after close nothing is asked any more, and nothing begins", async (t) => {
  const [ada, bo] = await people(hub, "Ada", "Bo");
  const { calls } = Talk.withToken(bo.token, { url: hub.url });
  for (let number = 0; number < 10; number += 1) await calls.createChat({ type: "group", name: `g${number}`, participants: owners(ada) });
  const asked = [];
  const credentials = (why) => {
    asked.push(why);
    return ada.token;
  };
  const { talk, net } = tampered(t, hub.url, { ...QUICK, credentials });
  await talk.start();
  talk.close();
  const { calls: before, sockets } = net;
  const closedAt = Date.now();
  await assert.rejects(talk.calls.getMe(), { reason: "CLOSED" });
  await assert.rejects(talk.start(), { reason: "CLOSED" });
  talk.live.connect();
  await eventually("a second has gone by", () => Date.now() - closedAt > 1_000);
  assert.deepEqual([net.calls - before, net.sockets, asked, talk.live.state], [0, sockets, ["start"], "offline"]);
});

test("who closes right after the start has no connection in Node either", async (t) => {
  const [ada] = await people(hub, "Ada");
  const talk = Talk.withToken(ada.token, { ...QUICK, url: hub.url });
  t.after(() => talk.close());
  await talk.start();
  const told = [];
  talk.close();
  talk.live.subscribe(({ state }) => told.push(state));
  const closedAt = Date.now();
  await eventually("a second has gone by", () => Date.now() - closedAt > 1_000);
  assert.deepEqual([talk.live.state, talk.live.link, told], ["offline", null, []]);
});

test("whoever tries now while an attempt is under way gets one attempt more, at once", async (t) => {
  const { talk, net, live } = await scene(t, 0, { ...QUICK, live: { firstMs: 30_000, mostMs: 30_000 } });
  const told = [];
  talk.live.subscribe(({ state }) => told.push(state));
  const held = gate();
  net.call = (url) => (url.endsWith("/me") ? held.pass() : undefined);
  net.address = () => "ws://127.0.0.1:9/";
  const { sockets } = net;
  talk.live.link.end({ code: 1006, why: "connection lost" });
  await eventually("it waits", () => talk.live.state === "waiting");
  talk.live.retryNow();
  await eventually("it finds out about its credential", () => held.reached);
  net.address = null;
  talk.live.retryNow();
  talk.live.retryNow();
  await live();
  held.open();
  await talk.calls.getMe();
  assert.deepEqual(told, ["waiting", "connecting", "waiting", "connecting", "live"]);
  assert.equal(net.sockets - sockets, 2);
});

test("a renewal that is refused after the link has ended for its token ends the sign-in", async (t) => {
  const short = await Hub.start({ "auth.token_ttl_secs": 2, "auth.session_secs": 600 });
  t.after(() => short.stop());
  const [ada] = await people(short, "Ada");
  const { talk, net, live } = tampered(t, short.url, QUICK);
  const held = gate();
  net.call = (url) => (url.endsWith("/auth/renew") ? held.pass().then(() => refusal(401)) : undefined);
  await talk.signIn(ada.username, ada.password);
  await live();
  await eventually("the hub has closed it", () => talk.live.link === null);
  assert.notEqual(talk.live.state, "live");
  held.open();
  await eventually("it says so", () => talk.live.state === "signed-out");
  assert.equal(talk.live.reason, "credential");
});

test("colleagues who were deleted while nobody listened go when all are read anew", async (t) => {
  const { talk, ada } = await scene(t);
  const cleo = await agent(hub, ada.customer_id, "Cleo");
  const boss = await agent(hub, ada.customer_id, "Boss", 32);
  await talk.store.colleagues();
  assert.ok(talk.store.agents.has(cleo.id));
  await call(hub.url, "DELETE", `/v1.0/agents/${cleo.id}`, undefined, boss.token);
  await talk.store.colleagues();
  assert.deepEqual([cleo, boss, ada].map(({ id }) => talk.store.agents.has(id)), [false, true, true]);
});
