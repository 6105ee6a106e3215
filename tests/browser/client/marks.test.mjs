// What counts as unread: nothing of before the first look, then and after every reload; and in a
// chat that somebody is taken into, what was said since.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Talk } from "../../../src/web/client/index.js";
import { Marks } from "../../../src/web/client/marks.js";
import { eventually } from "../kit/eventually.mjs";
import { Hub } from "../kit/hub.mjs";
import { owners, people } from "../kit/people.mjs";

let hub;
before(async () => {
  hub = await Hub.start();
});
after(() => hub.stop());

/** What a browser keeps, without one. */
function drawer() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
}

test("what was read at the first look stays read after a reload, and being taken in is where news begins", async (t) => {
  const [ada, bo] = await people(hub, "Ada", "Bo");
  const { calls } = Talk.withToken(bo.token, { url: hub.url });
  const [north, south, old] = await Promise.all([owners(ada), owners(ada), []].map((participants, place) => calls.createChat({ type: "group", name: `${place}`, participants })));
  for (const chat of [north, south, old]) await calls.createMessage({ chat_id: chat.id, text: "before" });
  const storage = drawer();
  const look = async () => {
    const talk = Talk.withToken(ada.token, { url: hub.url, storage });
    t.after(() => talk.close());
    await talk.start();
    return talk;
  };
  const first = await look();
  await first.store.open(north.id);
  await calls.createMessage({ chat_id: north.id, text: "news" });
  await eventually("one is unread", () => first.store.chats.get(north.id)?.unread === 1);
  first.store.markRead(north.id);
  first.close();

  const second = await look();
  for (const chat of [north, south]) {
    await second.store.open(chat.id);
    assert.equal(second.store.chats.get(chat.id).unread, 0, chat.name);
  }
  await calls.addParticipant(old.id, { owner_type: "agent", owner_id: ada.id });
  await eventually("the chat is there", () => second.store.chats.get(old.id)?.ready);
  await calls.createMessage({ chat_id: old.id, text: "welcome" });
  await eventually("the welcome is unread, and nothing of before", () => second.store.chats.get(old.id).unread === 1);
});

test("the list of chats shows the newest message of a chat that was not loaded yet", async (t) => {
  const [ada, bo] = await people(hub, "Ada", "Bo");
  const { calls } = Talk.withToken(bo.token, { url: hub.url });
  const chat = await calls.createChat({ type: "group", name: "talkative", participants: owners(ada) });
  for (const text of ["first", "second", "third"]) await calls.createMessage({ chat_id: chat.id, text });
  const talk = Talk.withToken(ada.token, { url: hub.url, keep: { preload: 0 } });
  t.after(() => talk.close());
  await talk.start();
  const view = talk.store.chats.get(chat.id);
  await eventually("a preview", () => view.newest);
  assert.equal(view.newest.message.text, "third");
});

test("what two tabs have read is kept of both", () => {
  const storage = drawer();
  const [one, two] = [1, 2].map(() => new Marks(storage, "me", () => {}));
  one.set("north", 5);
  one.set("left", 1);
  one.write();
  two.set("south", 7);
  two.set("north", 3);
  two.write();
  one.forget("left");
  one.write();
  for (const tab of [one, two]) tab.end();
  const { seqs } = new Marks(storage, "me", () => {});
  assert.deepEqual(seqs, { north: 5, south: 7 });
});
