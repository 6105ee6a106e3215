// Reading back: older messages come by themselves, nothing that is being read moves, and there is a
// way to the newest.

import assert from "node:assert/strict";

import { eventually } from "../kit/eventually.mjs";
import { call, owners } from "../kit/people.mjs";
import { Stage } from "./desk.mjs";

const stage = new Stage();

/** @param {string} name @param {number} count */
async function history(name, count) {
  const [ada, ben] = stage.people;
  const chat = await call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "group", name, participants: owners(ben) }, ada.token);
  const post = (/** @type {string} */ text) => call(stage.hub.url, "POST", "/v1.0/service_agents/talk_messages", { chat_id: chat.id, type: "normal", text }, ben.token);
  for (let place = 0; place < count; place += 1) await post(`entry ${place} ${"of a long story ".repeat((place * 7) % 23)}`);
  return post;
}

/** The first message that is wholly in view, and where. @param {import("./desk.mjs").Desk} desk */
function first(desk) {
  return desk.chat.locator(".scroller").evaluate((scroller) => {
    const from = scroller.getBoundingClientRect().top;
    for (const row of scroller.querySelectorAll("[data-row]")) {
      const { top } = row.getBoundingClientRect();
      if (top >= from) return { key: row.getAttribute("data-row"), top: top - from, height: scroller.scrollHeight };
    }
    throw new Error("nothing is in view");
  });
}

/** What is read once the wheel has come to rest. @param {import("./desk.mjs").Desk} desk */
function atRest(desk) {
  let before = { key: "", top: NaN };
  let same = 0;
  return eventually("the wheel is at rest", async () => {
    await desk.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const now = await first(desk);
    same = now.key === before.key && now.top === before.top ? same + 1 : 0;
    before = now;
    return same >= 4 ? now : null;
  });
}

/** @param {import("./desk.mjs").Desk} desk @param {string} key */
function topOf(desk, key) {
  return desk.chat.locator(".scroller").evaluate((scroller, wanted) => {
    const row = scroller.querySelector(`[data-row="${CSS.escape(wanted)}"]`);
    return row ? row.getBoundingClientRect().top - scroller.getBoundingClientRect().top : NaN;
  }, key);
}

stage.scene("older messages come above without moving what is read, and all of them come", async () => {
  await history("Back", 260);
  const desk = await stage.seat(stage.people[0]);
  await desk.open("Back");
  await desk.sees("entry 259");
  await desk.chat.locator(".scroller").hover();
  // Older messages wait at the door until it was noted what is being read.
  /** @type {(() => void)[]} */
  const waiting = [];
  await desk.page.route("**/talk_messages?*", (route) => void waiting.push(() => void route.continue()));
  let loads = 0;
  while ((await desk.chat.locator(".about-chat").count()) === 0) {
    await eventually("older messages are asked for", async () => {
      if (waiting.length > 0) return true;
      await desk.page.mouse.wheel(0, -500);
      return (await desk.chat.locator(".about-chat").count()) > 0;
    });
    if (waiting.length === 0) break;
    await desk.page.mouse.wheel(0, -150);
    const before = await atRest(desk);
    for (const go of waiting.splice(0)) go();
    await eventually("older messages came", async () => (await first(desk)).height !== before.height);
    const moved = Math.abs((await topOf(desk, before.key)) - before.top);
    assert.ok(moved < 3, `what is read stays when older messages come, and does not move by ${moved} px`);
    loads += 1;
  }
  assert.ok(loads >= 2, "they came in pages");
  await desk.page.unroute("**/talk_messages?*");
  assert.equal((await desk.readsAll()).length, 260);
});

stage.scene("what comes while one reads back moves nothing, is counted, and one press leads to it", async () => {
  const post = await history("Still", 80);
  const desk = await stage.seat(stage.people[0]);
  await desk.open("Still");
  await desk.sees("entry 79");
  await desk.chat.locator(".scroller").hover();
  await desk.page.mouse.wheel(0, -2500);
  const jump = desk.chat.locator("button.jump");
  await jump.waitFor();
  const before = await atRest(desk);
  await post("news while you read");
  await post("more news");
  await jump.getByText("2 new messages").waitFor();
  await eventually("what is read has not moved", async () => Math.abs((await topOf(desk, before.key)) - before.top) < 2, 2_000);
  await jump.click();
  await desk.sees("more news");
  await jump.waitFor({ state: "hidden" });
  await desk.row("Still").locator(".badge").waitFor({ state: "detached" });
  // At the end one stays at the end.
  await post("and the last of it");
  const last = await desk.sees("and the last of it");
  await eventually("it is in view", async () => {
    const [box, field] = [await last.boundingBox(), await desk.chat.locator(".composer").boundingBox()];
    return box.y + box.height <= field.y;
  });
});

stage.scene("a chat with much unread opens at the line, not at the end", async () => {
  const post = await history("Missed", 30);
  const desk = await stage.seat(stage.people[0]);
  await desk.open("Missed");
  await desk.sees("entry 29");
  await history("Away", 1);
  await desk.open("Away");
  for (let place = 0; place < 40; place += 1) await post(`missed ${place} ${"words ".repeat(30)}`);
  await desk.row("Missed").locator(".badge").getByText("40").waitFor();
  await desk.open("Missed");
  await desk.unreadLine.waitFor();
  const [line, pane] = [await desk.unreadLine.boundingBox(), await desk.chat.locator(".scroller").boundingBox()];
  assert.ok(line.y >= pane.y && line.y < pane.y + pane.height, "the line is in view");
  assert.ok((await desk.message("missed 0 ").count()) === 1);
  await desk.chat.locator("button.jump").waitFor();
});
