// Many chats: more cursors than a frame holds, and a list that is there soon.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Talk } from "../../../src/web/client/index.js";
import { DEVICES } from "../kit/devices.mjs";
import { eventually } from "../kit/eventually.mjs";
import { Hub } from "../kit/hub.mjs";
import { owners, people } from "../kit/people.mjs";
import { Proxy } from "../kit/proxy.mjs";

const CHATS = 500;
const AT_ONCE = 64;

/** All of them, some at once. */
async function each(all, task) {
  const rest = [...all];
  const work = async () => {
    while (rest.length > 0) await task(rest.shift());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

for (const device of DEVICES) {
  test(`${CHATS} chats are there soon, and are resumed after a cut without being read again (${device.name})`, async (t) => {
    await device.start();
    t.after(() => device.stop());
    const hub = await Hub.start();
    t.after(() => hub.stop());
    const proxy = await Proxy.to(hub.url);
    t.after(() => proxy.stop());
    const [ada, bo] = await people(hub, "Ada", "Bo");
    const { calls } = Talk.withToken(bo.token, { url: hub.url });
    const ids = [];
    await each(Array(CHATS).keys(), async (number) => {
      const chat = await calls.createChat({ type: "group", name: `chat ${number}`, participants: owners(ada) });
      await calls.createMessage({ chat_id: chat.id, text: "hello" });
      ids.push(chat.id);
    });
    const options = { url: proxy.url, token: ada.token, keep: { preload: 0 }, live: { firstMs: 10, mostMs: 100 } };
    const client = await device.client(proxy.url, options);
    t.after(() => client.close());
    const began = performance.now();
    await client.run((talk) => talk.start().then(() => {}));
    t.diagnostic(`the list of ${CHATS} chats was there after ${Math.round(performance.now() - began)} ms`);
    const live = () => eventually("it is live", () => client.run((talk) => talk.live.state === "live"));
    const newest = (text) =>
      eventually(`each chat shows: ${text}`, () =>
        client.run((talk, wanted) => [...talk.store.chats.values()].filter((chat) => chat.newest?.message.text === wanted).length, text).then(
          (count) => count === CHATS,
        ),
      );
    await live();
    assert.equal(await client.run((talk) => talk.store.chats.size), CHATS);
    proxy.mode = "refused";
    proxy.cut();
    await each(ids, (id) => calls.createMessage({ chat_id: id, text: "while you were away" }));
    const asked = [];
    proxy.onAnswer = (line) => void asked.push(line);
    proxy.mode = "through";
    await newest("while you were away");
    await live();
    await each(ids, (id) => calls.createMessage({ chat_id: id, text: "and now" }));
    await newest("and now");
    assert.ok(!asked.some((line) => line.includes("chat_id=")), "nothing was read again");
    const unread = await client.run((talk) => [...talk.store.chats.values()].map((chat) => [chat.unread, chat.unreadMore].join()));
    assert.deepEqual([...new Set(unread)], ["2,false"]);
  });
}
