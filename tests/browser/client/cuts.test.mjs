// The model is the hub's after any cut: hundreds of them, while three people talk.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Talk } from "../../../src/web/client/index.js";
import { Crowd } from "../kit/crowd.mjs";
import { DEVICES } from "../kit/devices.mjs";
import { eventually, luck as seeded } from "../kit/eventually.mjs";
import { Hub } from "../kit/hub.mjs";
import { owners, people } from "../kit/people.mjs";
import { Proxy } from "../kit/proxy.mjs";
import { comesOutEqual } from "../kit/truth.mjs";

const SEED = Number(process.env.TALK_TEST_SEED ?? 7);
const CUTS = Number(process.env.TALK_TEST_CUTS ?? 200);
/** Times at which everybody falls silent and the model is compared. */
const PAUSES = 4;
/** So that many cuts fit into a test. Chromium holds back who connects often, so it may take a while. */
const HASTY = { live: { firstMs: 5, mostMs: 100 }, retry: { firstMs: 5, mostMs: 50 }, keep: { messages: 20 } };

let hub;
before(async () => {
  hub = await Hub.start();
});
after(() => hub.stop());

for (const device of DEVICES) {
  test(`${CUTS} cuts at random moments lose nothing and double nothing (${device.name}, seed ${SEED})`, async (t) => {
    await device.start();
    t.after(() => device.stop());
    const luck = seeded(SEED);
    const [watcher, ...talkers] = await people(hub, "Watcher", "Ada", "Bo", "Cleo");
    const proxy = await Proxy.to(hub.url);
    t.after(() => proxy.stop());
    const { calls } = Talk.withToken(watcher.token, { url: hub.url });
    const chats = [];
    for (const name of ["north", "south", "east"]) {
      chats.push((await calls.createChat({ type: "talk", name, participants: owners(...talkers) })).id);
    }
    const client = await device.client(proxy.url, { ...HASTY, url: proxy.url, token: watcher.token });
    t.after(() => client.close());
    await client.run((talk) => talk.start().then(() => {}));
    const crowd = new Crowd(hub.url, talkers, chats, luck);
    let cuts = 0;
    for (let pause = 0; pause < PAUSES; pause += 1) {
      crowd.running = true;
      crowd.start();
      while (cuts < (CUTS * (pause + 1)) / PAUSES) {
        const enough = crowd.done + 1 + luck.below(8);
        await eventually("people talk", () => crowd.done >= enough);
        if (luck.below(4) === 0) await connected(client);
        proxy.cut();
        cuts += 1;
      }
      await crowd.stop();
      // A chat that is let go of for a while, and one that is looked at.
      const chat = chats[pause % chats.length];
      await client.run((talk, id) => talk.store.open(id).then(() => {}), chat);
      await comesOutEqual(client, calls);
      await client.run((talk, id) => talk.store.loadOlder(id), chat);
      await comesOutEqual(client, calls);
      await client.run((talk, id) => talk.store.close(id), chat);
    }
    t.diagnostic(`${crowd.done} things done, ${cuts} cuts`);
    assert.ok(crowd.done > CUTS);
  });
}

async function connected(client) {
  await eventually("it is live", () => client.run((talk) => talk.live.state === "live"));
}
