// Several tabs of one person: what is read in one is read in all, and one message is told once.

import assert from "node:assert/strict";

import { eventually } from "../kit/eventually.mjs";
import { call, owners } from "../kit/people.mjs";
import { Stage } from "./desk.mjs";

const stage = new Stage();

/** @param {string} name */
async function group(name) {
  const [ada, ben] = stage.people;
  return call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "group", name, participants: owners(ben) }, ada.token);
}

/** @param {{ id: string }} chat @param {string} text */
const post = (chat, text) => call(stage.hub.url, "POST", "/v1.0/service_agents/talk_messages", { chat_id: chat.id, type: "normal", text }, stage.people[1].token);

stage.scene("what is read in one tab is read in the other, and both see what either writes", async () => {
  const [one, two] = [await group("First"), await group("Second")];
  const left = await stage.seat(stage.people[0]);
  await left.open("Second");
  const right = await left.tab();
  await right.open("Second");
  await post(one, "read me");
  for (const tab of [left, right]) await tab.row("First").locator(".badge").getByText("1").waitFor();
  await left.open("First");
  await left.sees("read me");
  await right.row("First").locator(".badge").waitFor({ state: "detached" });
  await left.say("from the left");
  await right.open("First");
  await right.sees("from the left");
  await right.say("from the right");
  await left.sees("from the right");
  assert.deepEqual(await left.readsAll(), await right.readsAll());
  await right.page.reload();
  await right.row("First").waitFor();
  assert.equal(await right.row("First").locator(".badge").count(), 0, "a mark outlives the page");
  await post(two, "more");
});

stage.scene("a message is told on the desktop once, however many tabs are open, and not at all when it is read", async () => {
  const [told, watched, unseen] = [await group("Told"), await group("Watched"), await group("Unseen")];
  const left = await stage.desk();
  await left.context.grantPermissions(["notifications"]);
  // A headless browser shows none: what would be shown is written down, one per tag, as the desktop has it.
  await left.context.addInitScript(() => {
    /** @type {any} */ (window).told = [];
    const Real = Notification;
    /** @type {any} */ (window).Notification = class {
      static get permission() { return "granted"; }
      static requestPermission() { return Real.requestPermission().then(() => "granted"); }
      constructor(title, { body, tag }) { /** @type {any} */ (window).told.push({ title, body, tag }); }
      close() {}
    };
  });
  await left.page.reload();
  await left.signIn(stage.people[0]);
  await left.menu("Notify me on the desktop", /Own menu/);
  await left.open("Watched");
  const right = await left.tab();
  await right.open("Watched");
  await post(told, "somebody looks elsewhere");
  const all = async () => (await Promise.all([left, right].map(({ page }) => page.evaluate(() => /** @type {any} */ (window).told)))).flat();
  await eventually("it is told", async () => (await all()).length > 0);
  for (const tab of [left, right]) await tab.row("Told").locator(".badge").getByText("1").waitFor();
  await post(watched, "everybody looks at this");
  for (const tab of [left, right]) await tab.sees("everybody looks at this");
  await post(told, "and again");
  await eventually("the second is told", async () => (await all()).some(({ body }) => body.includes("and again")));
  for (const tab of [left, right]) await tab.row("Told").locator(".badge").getByText("2").waitFor();
  // One tab looks at it now: then the other is quiet about it as well.
  await right.open("Told");
  await post(told, "which is being read");
  await right.sees("which is being read");
  await left.row("Told").locator(".badge").waitFor({ state: "detached" });
  await post(unseen, "and the last");
  await eventually("the last is told", async () => (await all()).some(({ body }) => body.includes("and the last")));
  const shown = (await all()).filter(({ title }) => title !== "Unseen");
  assert.ok(shown.every(({ title }) => title === "Told"), "what is looked at is not told");
  assert.equal(new Set(shown.map(({ tag }) => tag)).size, 2, "the tabs tell of one message under one tag, so that it is shown once");
  assert.deepEqual([...new Set(shown.map(({ body }) => body))].sort(), ["Ben Okri: and again", "Ben Okri: somebody looks elsewhere"]);
});
