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
 * What the model says, in the same form. Asserts what must hold of it by itself.
 * @param {import("../../../src/web/client/index.js").Talk} talk
 */
export function shown(talk) {
  const chats = {};
  for (const view of talk.store.chats.values()) {
    const keys = view.rows.map((row) => row.key);
    assert.equal(new Set(keys).size, keys.length, "a row is shown twice");
    chats[view.id] = {
      chat: view.chat,
      members: view.members && sorted([...view.members.values()]),
      messages: view.rows.map((row) => row.message),
    };
  }
  return chats;
}

function sorted(members) {
  return members.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * The model comes to be equal to what REST says, as far back as its chats are loaded.
 * @param {import("../../../src/web/client/index.js").Talk} talk
 * @param {import("../../../src/web/client/index.js").Calls} [calls] asks another way, around what is broken
 * @param {number} [ms]
 */
export async function comesOutEqual(talk, calls = talk.calls, ms = 30_000) {
  await eventually(
    "the model is equal to the hub's",
    async () => {
      const told = await truth(calls);
      const model = shown(talk);
      for (const [id, { messages }] of Object.entries(model)) {
        const view = talk.store.chats.get(id);
        assert.ok(view?.ready && !view.fetching && !view.error, `${id} is not ready: ${view?.error}`);
        const chat = told[id];
        if (chat && !view.reachesBeginning) chat.messages = chat.messages.slice(-messages.length);
      }
      assert.deepEqual(model, told);
      return true;
    },
    ms,
  );
}

/** Opens everything that the model has, and loads all of it. @param {import("../../../src/web/client/index.js").Talk} talk */
export async function openAll(talk) {
  for (const id of talk.store.chats.keys()) {
    const view = await talk.store.open(id);
    while (!view.reachesBeginning) await talk.store.loadOlder(id);
  }
}
