// What is done here is seen at once and settles: once, whatever becomes of its answer.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Talk } from "../../../src/web/client/index.js";
import { DEVICES } from "../kit/devices.mjs";
import { eventually, luck as seeded } from "../kit/eventually.mjs";
import { Hub } from "../kit/hub.mjs";
import { owners, people } from "../kit/people.mjs";
import { Proxy } from "../kit/proxy.mjs";
import { comesOutEqual } from "../kit/truth.mjs";

const MESSAGES = 60;
const QUICK = { live: { firstMs: 20, mostMs: 200 }, retry: { firstMs: 5, mostMs: 20, tries: 30 } };
const POST = "POST /v1.0/service_agents/talk_messages";

let hub;
before(async () => {
  hub = await Hub.start();
});
after(() => hub.stop());

async function scene(t, device, options = {}) {
  await device.start();
  t.after(() => device.stop());
  const [ada, bo] = await people(hub, "Ada", "Bo");
  const { calls } = Talk.withToken(ada.token, { url: hub.url });
  const chat = await calls.createChat({ type: "group", name: "a group", participants: owners(bo) });
  const proxy = await Proxy.to(hub.url);
  t.after(() => proxy.stop());
  const client = await device.client(proxy.url, { ...QUICK, ...options, url: proxy.url, token: ada.token });
  t.after(() => client.close());
  await client.run((talk, id) => talk.start().then(() => talk.store.open(id)).then(() => {}), chat.id);
  const texts = async () => (await calls.listMessages({ chat_id: chat.id, order: "asc" })).result.map((row) => row.text);
  return { ada, bo, calls, chat, proxy, client, texts };
}

for (const device of DEVICES) {
  test(`${MESSAGES} messages whose answers are cut off at random are there once each, in order (${device.name})`, async (t) => {
    const { chat, calls, proxy, client, texts } = await scene(t, device);
    const luck = seeded(11);
    let cuts = 0;
    proxy.onAnswer = (asked) => {
      if (!asked.startsWith(POST) || luck.below(2) === 0) return true;
      cuts += 1;
      return false;
    };
    const result = await client.run(
      async (talk, { id, count }) => {
        const view = talk.store.chats.get(id);
        const wrong = [];
        const look = () => {
          const seen = view.rows.map((row) => row.message.text);
          if (new Set(seen).size !== seen.length) wrong.push(seen.join());
        };
        talk.store.subscribe(look);
        const sent = [];
        for (let number = 0; number < count; number += 1) {
          sent.push(talk.store.send(id, { text: `message ${number}` }));
          look();
          // Some at once, some one after the other.
          if (number % 4 === 0) await sent.at(-1).settled;
        }
        await Promise.all(sent.map((one) => one.settled));
        return { wrong, keys: sent.map((one) => one.key) };
      },
      { id: chat.id, count: MESSAGES },
    );
    assert.deepEqual(result.wrong, [], "a message was shown twice");
    proxy.onAnswer = null;
    await comesOutEqual(client, calls);
    const expected = Array.from({ length: MESSAGES }, (_, number) => `message ${number}`);
    assert.deepEqual(await texts(), expected);
    const keys = await client.run((talk, id) => talk.store.chats.get(id).rows.map((row) => row.key), chat.id);
    assert.deepEqual(keys, result.keys, "rows keep their keys");
    assert.ok(cuts > 20, `${cuts} answers were cut off`);
  });

  test(`a message that cannot be sent says so, and can be sent again or discarded (${device.name})`, async (t) => {
    const { chat, proxy, calls, client, texts } = await scene(t, device, { retry: { firstMs: 5, mostMs: 10, tries: 2 } });
    proxy.onAnswer = (asked) => !asked.startsWith(POST);
    const failed = await client.run(async (talk, id) => {
      talk.live.disconnect();
      const { key, settled } = talk.store.send(id, { text: "in vain" });
      const error = await settled.catch((fault) => fault);
      const row = talk.store.row(id, key);
      return { key, state: row.state, reason: error.reason, temporary: row.error.temporary };
    }, chat.id);
    assert.deepEqual({ ...failed, key: "" }, { key: "", state: "failed", reason: "NO_ANSWER", temporary: true });
    proxy.onAnswer = null;
    await client.run(
      async (talk, { id, key }) => {
        talk.live.connect();
        await talk.store.retry(id, key).settled;
      },
      { id: chat.id, key: failed.key },
    );
    await comesOutEqual(client, calls);
    assert.deepEqual(await texts(), ["in vain"], "the hub had it already, and has it once");
    const refused = await client.run(async (talk, id) => {
      const { key, settled } = talk.store.send(id, { text: "x".repeat(20_000) });
      const error = await settled.catch((fault) => fault);
      const { state } = talk.store.row(id, key);
      talk.store.discard(id, key);
      return [state, error.status, talk.store.row(id, key)];
    }, chat.id);
    assert.deepEqual(refused, ["failed", "INVALID_ARGUMENT", null]);
  });

  test(`a message that was given up and had arrived is one row, sent (${device.name})`, async (t) => {
    const { chat, proxy, client, texts } = await scene(t, device, { retry: { firstMs: 5, mostMs: 10, tries: 2 } });
    proxy.onAnswer = (asked) => !asked.startsWith(POST);
    const key = await client.run(async (talk, id) => {
      talk.live.disconnect();
      const sent = talk.store.send(id, { text: "late" });
      await sent.settled.catch(() => {});
      return sent.key;
    }, chat.id);
    proxy.onAnswer = null;
    await client.run((talk) => talk.live.connect());
    const rows = () => client.run((talk, id) => talk.store.chats.get(id).rows.map((row) => [row.key, row.state, row.message.id !== ""]), chat.id);
    await eventually("it has arrived", async () => (await rows()).some(([, state, named]) => state === "sent" && named));
    assert.deepEqual(await rows(), [[key, "sent", true]]);
    assert.deepEqual(await texts(), ["late"]);
  });

  test(`reactions and deletions show at once, and are taken back when refused (${device.name})`, async (t) => {
    const { bo, chat, calls, client } = await scene(t, device);
    const other = Talk.withToken(bo.token, { url: hub.url }).calls;
    const mine = await calls.createMessage({ chat_id: chat.id, text: "mine" });
    const theirs = await other.createMessage({ chat_id: chat.id, text: "theirs" });
    await comesOutEqual(client, calls);
    const seen = await client.run(
      async (talk, { id, mine, theirs }) => {
        const show = (message) => {
          const row = talk.store.row(id, message);
          const { text, tm_delete, metadata } = row.message;
          return [text, tm_delete !== "", metadata.reactions.map((one) => one.emoji).join(), row.busy, row.error?.status ?? ""];
        };
        const steps = [];
        const step = async (message, deed) => {
          steps.push(show(message));
          await deed.catch(() => {});
          steps.push(show(message));
        };
        await step(mine, talk.store.react(id, mine, "👍", true));
        await step(mine, talk.store.react(id, mine, "👍", false));
        await step(theirs, talk.store.remove(id, theirs));
        await step(mine, talk.store.remove(id, mine));
        return steps;
      },
      { id: chat.id, mine: mine.id, theirs: theirs.id },
    );
    assert.deepEqual(seen, [
      ["mine", false, "👍", true, ""],
      ["mine", false, "👍", false, ""],
      ["mine", false, "", true, ""],
      ["mine", false, "", false, ""],
      ["", true, "", true, ""],
      ["theirs", false, "", false, "PERMISSION_DENIED"],
      ["", true, "", true, ""],
      ["", true, "", false, ""],
    ]);
    await comesOutEqual(client, calls);
  });

  test(`a thread shows its replies as they come, and counts them (${device.name})`, async (t) => {
    const { bo, chat, calls, client } = await scene(t, device);
    const other = Talk.withToken(bo.token, { url: hub.url }).calls;
    const root = await other.createMessage({ chat_id: chat.id, text: "root" });
    await other.createMessage({ chat_id: chat.id, text: "one", parent_id: root.id });
    await comesOutEqual(client, calls);
    await client.run(
      async (talk, { id, root }) => {
        talk.thread = await talk.store.openThread(root, id);
        await talk.store.send(id, { text: "two", parent: root }).settled;
      },
      { id: chat.id, root: root.id },
    );
    await other.createMessage({ chat_id: chat.id, text: "three", parent_id: root.id });
    const texts = () =>
      client.run((talk) => [talk.thread.root.message.reply_count, talk.thread.rows.map((row) => row.message.text).join()]);
    await eventually("all replies are there", async () => (await texts()).join() === "3,one,two,three");
    await comesOutEqual(client, calls);
  });
}
