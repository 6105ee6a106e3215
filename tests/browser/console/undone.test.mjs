// What a person wrote and the hub did not take: it is there still, once, wherever one looks for it.

import assert from "node:assert/strict";

import { eventually } from "../kit/eventually.mjs";
import { call, owners } from "../kit/people.mjs";
import { Stage } from "./desk.mjs";

/** Unsettled messages of a chat at most, as the library has it. */
const PENDING_MOST = 200;
/** Replies of a page, as the library asks for them. */
const PAGE = 100;
const POSTS = "**/v1.0/service_agents/talk_messages";

const stage = new Stage();

/** @param {string} method @param {string} path @param {object} [body] @param {{ token: string }} [person] */
const ask = (method, path, body, person = stage.people[1]) => call(stage.hub.url, method, `/v1.0/service_agents/${path}`, body, person.token);

/** A group that Ben made with Ada. @param {string} name */
const group = (name) => ask("POST", "talk_chats", { type: "group", name, participants: owners(stage.people[0]) });

/** Messages go no further than the page, until this is called. @param {import("./desk.mjs").Desk} desk */
async function hold(desk) {
  /** @type {(go: boolean) => void} */
  let end = () => {};
  const ended = new Promise((resolve) => (end = resolve));
  await desk.page.route(POSTS, async (route) => {
    if (route.request().method() === "POST") await ended;
    await route.continue().catch(() => {});
  });
  return () => end(true);
}

/** Takes Ada out of a chat. @param {{ id: string }} chat */
async function takeOut(chat) {
  const members = await ask("GET", `talk_chats/${chat.id}/participants`);
  const hers = (members.result ?? members).find((/** @type {{ owner_id: string }} */ { owner_id: id }) => id === stage.people[0].id);
  await ask("DELETE", `talk_chats/${chat.id}/participants/${hers.id}`);
}

stage.scene("a message that cannot even wait stays in its field, and one is told why", async () => {
  await group("Full");
  const desk = await stage.seat(stage.people[0]);
  await desk.open("Full");
  const release = await hold(desk);
  for (let place = 0; place < PENDING_MOST; place += 1) await desk.say(`waits ${place}`);
  await desk.say("one too many");
  await desk.page.getByText(/^Too many messages of this chat wait/).waitFor();
  assert.equal(await desk.composer.inputValue(), "one too many");
  release();
});

stage.scene("a draft that is sent in one tab is no draft in the other", async () => {
  await group("Two tabs");
  const left = await stage.seat(stage.people[0]);
  await left.open("Two tabs");
  const right = await left.tab();
  await right.open("Two tabs");
  await left.composer.fill("only once");
  await eventually("the other tab has it", async () => (await right.composer.inputValue()) === "only once");
  await right.composer.press("End");
  await right.page.keyboard.type(", please");
  await eventually("and what it adds is in the first", async () => (await left.composer.inputValue()) === "only once, please");
  await left.composer.press("Enter");
  await eventually("the field of the other tab is empty", async () => (await right.composer.inputValue()) === "");
  await right.sees("only once, please");
});

stage.scene("older replies that cannot be read are not asked for again and again", async () => {
  const chat = await group("Deep");
  const root = await ask("POST", "talk_messages", { chat_id: chat.id, type: "normal", text: "the root" });
  for (let place = 0; place < PAGE + 20; place += 1) {
    await ask("POST", "talk_messages", { chat_id: chat.id, type: "normal", text: `reply ${place}.`, parent_id: root.id });
  }
  const desk = await stage.seat(stage.people[0]);
  desk.forgives(/status of 404/);
  await desk.open("Deep");
  let asked = 0;
  const older = (/** @type {URL} */ url) => url.searchParams.has("parent_id") && Boolean(url.searchParams.get("page_token"));
  await desk.page.route(older, (route) => {
    asked += 1;
    return route.fulfill({ status: 404, json: { error: { status: "NOT_FOUND", reason: "CHAT_NOT_FOUND", message: "no such chat" } } });
  });
  await desk.page.goto(`${stage.hub.url}/#/${chat.id}/thread/${root.id}`);
  const scroller = desk.panel.locator(".scroller");
  await desk.message(`reply ${PAGE + 19}.`, desk.panel).waitFor();
  await scroller.evaluate((element) => { element.scrollTop = 0; });
  const again = desk.panel.getByRole("button", { name: "Try again" });
  await again.waitFor();
  // Whatever draws the list anew is no reason to ask again.
  for (const text of ["one more", "and one"]) {
    await desk.reply(text);
    await desk.sees(text, desk.panel);
    await scroller.evaluate((element) => { element.scrollTop = 0; });
    await again.waitFor();
  }
  // The arrow keys come by the head of the list, and go on.
  await desk.message("the root", desk.panel).first().focus();
  for (const _ of [1, 2, 3]) await desk.page.keyboard.press("ArrowDown");
  assert.match(await desk.page.evaluate(() => document.activeElement?.textContent ?? ""), /reply \d+\./);
  for (const _ of [1, 2, 3]) await desk.page.keyboard.press("ArrowUp");
  assert.match(await desk.page.evaluate(() => document.activeElement?.textContent ?? ""), /the root/);
  assert.equal(asked, 1);
  await desk.page.unroute(older);
  await again.click();
  await again.waitFor({ state: "detached" });
  await scroller.evaluate((element) => { element.scrollTop = 0; });
  await desk.message("reply 0.", desk.panel).waitFor();
});

stage.scene("who is taken out of a chat while a message goes gets its text back, and writes on in the open thread when back", async () => {
  const [ada] = stage.people;
  const chat = await group("In and out");
  const root = await ask("POST", "talk_messages", { chat_id: chat.id, type: "normal", text: "the root" });
  const desk = await stage.seat(ada);
  desk.forgives(/status of 40[34]/);
  await desk.open("In and out");
  await desk.press("the root", "Reply in thread");
  await desk.message("the root", desk.panel).waitFor();
  const release = await hold(desk);
  await desk.say("on its way");
  await desk.message("on its way").waitFor();
  await desk.panel.getByRole("textbox", { name: "Reply" }).fill("half a reply");
  await takeOut(chat);
  await desk.page.getByText("You are no longer in this chat").waitFor();
  assert.equal(await desk.panel.getByRole("textbox", { name: "Reply" }).count(), 0, "nothing to write a reply in");
  assert.equal(await desk.panel.getByRole("textbox", { name: "You had written" }).inputValue(), "half a reply");
  release();
  await desk.page.getByText(/^A message was not sent: you are no longer/).waitFor();
  assert.equal(await desk.chat.getByRole("textbox", { name: "You had written" }).inputValue(), "on its way");
  await ask("POST", `talk_chats/${chat.id}/participants`, owners(ada)[0]);
  await desk.composer.waitFor();
  assert.equal(await desk.composer.inputValue(), "on its way");
  await desk.reply("in it again");
  await desk.sees("in it again", desk.panel);
  await ask("POST", "talk_messages", { chat_id: chat.id, type: "normal", text: "welcome back", parent_id: root.id });
  await desk.sees("welcome back", desk.panel);
});

stage.scene("who writes in a chat as it is deleted is told, and keeps the text in sight", async () => {
  const chat = await group("Short lived");
  const desk = await stage.seat(stage.people[0]);
  await desk.open("Short lived");
  await desk.composer.fill("half a sentence");
  await ask("DELETE", `talk_chats/${chat.id}`);
  await desk.chat.getByRole("status").getByText("This chat was deleted").waitFor();
  assert.equal(await desk.chat.getByRole("textbox", { name: "You had written" }).inputValue(), "half a sentence");
  assert.equal(await desk.page.evaluate(() => document.activeElement?.tagName), "H1");
});

stage.scene("files for a chat that one was taken out of are deleted, and a thread in it opens once one is back", async () => {
  const [ada] = stage.people;
  const chat = await group("Tray");
  const root = await ask("POST", "talk_messages", { chat_id: chat.id, type: "normal", text: "the root" });
  const desk = await stage.seat(ada);
  await desk.open("Tray");
  let deleted = 0;
  desk.page.on("request", (request) => { if (request.method() === "DELETE") deleted += 1; });
  await desk.chat.locator("input[type=file]").setInputFiles([{ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("hello") }]);
  await desk.page.getByRole("button", { name: "Remove a.txt" }).waitFor();
  await takeOut(chat);
  await eventually("the file is deleted", () => deleted === 1);
  await desk.page.goto(`${stage.hub.url}/#/${chat.id}/thread/${root.id}`);
  await desk.panel.getByText("You are not, or no longer, in this chat.").waitFor();
  assert.equal(await desk.panel.getByRole("textbox").count(), 0, "nothing to write a reply in");
  await ask("POST", `talk_chats/${chat.id}/participants`, owners(ada)[0]);
  await desk.message("the root", desk.panel).waitFor();
  await desk.reply("back again");
  await desk.sees("back again", desk.panel);
});
