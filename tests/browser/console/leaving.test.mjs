// Who leaves, or is taken out, leaves nothing of theirs in the page: not on the screen, not in what
// is read aloud, not in the address, not in what the browser keeps.

import assert from "node:assert/strict";

import { eventually } from "../kit/eventually.mjs";
import { call, owners } from "../kit/people.mjs";
import { CUT, Stage } from "./desk.mjs";

const stage = new Stage();

/** A group of Ada's with Ben in it. @param {string} name */
async function group(name) {
  const [ada, ben] = stage.people;
  return call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "group", name, participants: owners(ben) }, ada.token);
}

/** @param {import("./desk.mjs").Desk} desk */
async function outside(desk) {
  await desk.page.getByRole("heading", { name: "Sign in to Talk" }).waitFor();
  assert.equal(await desk.page.locator(".frame").count(), 0, "the frame is gone");
}

/** @param {import("./desk.mjs").Desk} desk @param {string} words */
const remark = (desk, words) => desk.page.getByRole("status").getByText(words).waitFor();

/** The hub cannot be told of a sign-out, until `heals` is called. */
async function deaf() {
  const desk = await stage.seat(stage.people[0]);
  desk.forgives(CUT);
  await desk.context.route("**/auth/logout", (route) => route.abort());
  await desk.menu("Sign out", /Own menu/);
  await outside(desk);
  await remark(desk, "Signed out here, but the hub could not be told.");
  assert.notEqual((await desk.context.cookies()).length, 0, "the cookie is still there");
  return { desk, heals: () => desk.context.unroute("**/auth/logout") };
}

/** @param {import("./desk.mjs").Desk} desk */
async function untied(desk) {
  await remark(desk, "You are signed out.");
  assert.deepEqual(await desk.context.cookies(), []);
  await desk.page.reload();
  await outside(desk);
  assert.equal(await desk.page.getByText("You are signed out.").count(), 0, "it is told once");
}

stage.scene("a sign-out that the hub cannot be told of ends the page at once, says so, and is tried again by hand", async () => {
  const { desk, heals } = await deaf();
  await heals();
  await desk.page.getByRole("button", { name: "Try again" }).click();
  await untied(desk);
});

stage.scene("and is repeated at the next load, before anything else", async () => {
  const { desk, heals } = await deaf();
  await heals();
  await desk.page.reload();
  await untied(desk);
});

stage.scene("who signs in after a sign-out that was not told stays signed in", async () => {
  const { desk, heals } = await deaf();
  await heals();
  await desk.signIn(stage.people[1]);
  await desk.page.reload();
  await desk.page.getByRole("button", { name: /Ben Okri.*Own menu/ }).waitFor();
});

stage.scene("of who signed out nothing is left in the page, nor of what they wrote in the browser", async () => {
  const chat = await group("Secrets");
  const desk = await stage.seat(stage.people[0]);
  await desk.open("Secrets");
  const text = "the password of the vault";
  await call(stage.hub.url, "POST", "/v1.0/service_agents/talk_messages", { chat_id: chat.id, type: "normal", text }, stage.people[1].token);
  await desk.sees(text);
  await desk.page.locator("body > .heard").getByText(text).waitFor();
  await desk.composer.fill("what nobody else is to read");
  const kept = () => desk.page.evaluate(() => JSON.stringify(localStorage));
  await eventually("the draft is kept", async () => (await kept()).includes("nobody else"));
  await desk.menu("Sign out", /Own menu/);
  await outside(desk);
  const left = await desk.page.evaluate(() => document.documentElement.outerHTML + location.href);
  for (const word of [text, "Secrets", "Ben Okri", chat.id]) assert.ok(!left.includes(word), `"${word}" is still in the page`);
  assert.ok(!(await kept()).includes("nobody else"), "the draft is gone");
});

stage.scene("a tab ends when somebody else signs in in another, who does not come to the chat of the one before", async () => {
  const [ada, ben, chen] = stage.people;
  await group("Of Ada and Ben");
  const left = await stage.desk();
  const right = Object.create(left);
  right.page = await left.context.newPage();
  await right.page.goto(left.url);
  await left.signIn(ada);
  await left.open("Of Ada and Ben");
  await right.signIn(ben);
  await outside(left);
  await remark(left, "Somebody else signed in in another tab.");
  await right.page.reload();
  await right.page.getByRole("button", { name: /Ben Okri.*Own menu/ }).waitFor();
  await left.signIn(chen);
  assert.equal(new URL(left.page.url()).hash.replace("#/", ""), "", "Chen is nowhere yet");
  await outside(right);
});

stage.scene("who is removed while the members are shown sees and does nothing there any more", async () => {
  const [ada, ben] = stage.people;
  const chat = await group("Few");
  const desk = await stage.seat(ben);
  await desk.open("Few");
  await desk.members();
  await desk.panel.getByText("Ada Lovelace").waitFor();
  const participants = `/v1.0/service_agents/talk_chats/${chat.id}/participants`;
  const listed = await call(stage.hub.url, "GET", participants, undefined, ada.token);
  const own = (listed.result ?? listed).find((/** @type {{ owner_id: string }} */ { owner_id }) => owner_id === ben.id);
  await call(stage.hub.url, "DELETE", `${participants}/${own.id}`, undefined, ada.token);
  await desk.panel.getByText("Only who is in this chat sees its members").waitFor();
  assert.equal(await desk.panel.getByText("Ada Lovelace").count(), 0);
  assert.equal(await desk.panel.getByRole("button", { name: /Leave|Add people/ }).count(), 0);
  desk.forgives(/status of 40[34]/);
});

stage.scene("who signs out in one tab while another one loads finds the page before in both", async () => {
  const desk = await stage.seat(stage.people[0]);
  const late = await desk.context.newPage();
  /** @type {(() => Promise<void>)[]} */ const waiting = [];
  await late.route("**/service_agents/customer", (route) => void waiting.push(() => route.continue()));
  await late.goto(desk.url);
  await eventually("the other tab asks for the customer", () => waiting.length > 0);
  await desk.menu("Sign out", /Own menu/);
  await outside(desk);
  for (const go of waiting) await go();
  await late.getByText("You signed out in another tab.").waitFor();
});
