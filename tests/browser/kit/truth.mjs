// Holds a model to its hub: deeply equal to what REST says, chat by chat.

import assert from "node:assert/strict";

import { eventually } from "./eventually.mjs";

/** Every row of a list. @param {(page: object) => Promise<{ result: any[], next_page_token: string }>} list */
async function all(list, asked = {}) {
  const rows = [];
  for (let token = ""; ; ) {
    const page = await list({ ...asked, page_token: token });
    rows.push(...page.result);
    if (page.next_page_token === "") return rows;
    token = page.next_page_token;
  }
}

/** What REST says of everything that the person sees. @param {import("../../../src/web/client/index.js").Calls} calls */
export async function truth(calls) {
  const chats = {};
  for (const chat of await all(calls.listChats)) {
    const members = await calls.listParticipants(chat.id);
    const messages = (await all(calls.listMessages, { chat_id: chat.id })).reverse();
    chats[chat.id] = { chat, members: sorted(members), messages };
  }
  return chats;
}

/**
 * What the model says, in the same form, and how far it is.
 * @param {import("../../../src/web/client/index.js").Talk} talk
 */
export function shown(talk) {
  const chats = {};
  for (const view of talk.store.chats.values()) {
    const keys = view.rows.map((row) => row.key);
    assert.equal(new Set(keys).size, keys.length, "a row is shown twice");
    const { ready, fetching, error, reachesBeginning } = view;
    chats[view.id] = {
      chat: view.chat,
      members: view.members && sorted([...view.members.values()]),
      messages: view.rows.map((row) => row.message),
      state: { ready, fetching, error, reachesBeginning },
    };
  }
  return chats;
}

function sorted(members) {
  return members.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * The client's model comes to be equal to what REST says, as far back as its chats are loaded.
 * @param {{ shown: () => Promise<any> }} client
 * @param {import("../../../src/web/client/index.js").Calls} calls of the same person, around what is broken
 * @param {number} [ms]
 */
export async function comesOutEqual(client, calls, ms = 30_000) {
  await eventually(
    "the model is equal to the hub's",
    async () => {
      const told = await truth(calls);
      const model = await client.shown();
      for (const [id, chat] of Object.entries(model)) {
        const { ready, fetching, error, reachesBeginning } = chat.state;
        delete chat.state;
        assert.ok(ready && !fetching && !error, `${id} is not ready: ${error}`);
        const whole = told[id];
        if (!whole) continue;
        assert.ok(reachesBeginning || chat.messages.length < whole.messages.length);
        if (!reachesBeginning) whole.messages = whole.messages.slice(-chat.messages.length);
      }
      assert.deepEqual(model, told);
      return true;
    },
    ms,
  );
}
