// Much of everything: 500 chats in the list, thousands of messages in a chat. Prints what it took;
// fails only at a disaster. `tests/browser/run measure` prints the figures alone, with 10,000 messages.

import assert from "node:assert/strict";

import { eventually } from "../kit/eventually.mjs";
import { call, owners } from "../kit/people.mjs";
import { Stage } from "./desk.mjs";

const stage = new Stage({ names: ["Ada Lovelace", "Ben Okri"] });
const CHATS = 500;
const MESSAGES = Number(process.env.TALK_TEST_MESSAGES ?? 3_000);
/** Calls under way at once while the data is made. */
const AT_ONCE = 40;

/** @param {number} count @param {(place: number) => Promise<unknown>} act */
async function many(count, act) {
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < count) await act(next++);
  }));
}

/** @param {string} method @param {string} path @param {object} body @param {{ token: string }} person */
const ask = (method, path, body, person) => call(stage.hub.url, method, `/v1.0/service_agents/${path}`, body, person.token);

/** @param {Record<string, string | number>} figures */
function tell(figures) {
  for (const [what, figure] of Object.entries(figures)) console.log(`figure: ${what}: ${typeof figure === "number" ? Math.round(figure) : figure}`);
}

stage.scene("500 chats: painted and usable soon after a reload", async () => {
  const [ada, ben] = stage.people;
  await many(CHATS, async (place) => {
    const chat = await ask("POST", "talk_chats", { type: "group", name: `Chat number ${place}`, participants: owners(ben) }, ada);
    await ask("POST", "talk_messages", { chat_id: chat.id, type: "normal", text: `What was said in chat ${place}` }, ben);
  });
  const desk = await stage.seat(ada);
  const times = [];
  for (let round = 0; round < 3; round += 1) {
    await desk.page.addInitScript(() => {
      const seen = () => {
        const rows = document.querySelectorAll("a.chat-row");
        if (rows.length >= 500 && rows[0].querySelector(".chat-last")?.textContent) performance.mark("usable");
        else requestAnimationFrame(seen);
      };
      if (location.protocol.startsWith("http")) requestAnimationFrame(seen);
    });
    await desk.page.reload();
    times.push(await eventually("the list is whole", () => desk.page.evaluate(() => {
      const usable = performance.getEntriesByName("usable")[0]?.startTime;
      const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
      return usable && paint ? { usable, paint } : null;
    }), 60_000));
  }
  const middle = (/** @type {"usable" | "paint"} */ what) => times.map((one) => one[what]).sort((a, b) => a - b)[1];
  const before = Date.now();
  await desk.page.keyboard.press("Control+k");
  await desk.page.keyboard.type("number 123");
  await desk.dialog.getByRole("option", { name: /Chat number 123/ }).waitFor();
  await desk.page.keyboard.press("Enter");
  await desk.chat.getByText("What was said in chat 123").waitFor();
  const found = Date.now() - before;
  await desk.list.locator("a").last().scrollIntoViewIfNeeded();
  await desk.list.locator("a").last().locator(".chat-last").getByText("What was said").waitFor();
  const nodes = await desk.page.evaluate(() => document.querySelectorAll("*").length);
  tell({
    [`${CHATS} chats, first paint after a reload, ms`]: middle("paint"),
    [`${CHATS} chats, list with last messages, ms`]: middle("usable"),
    [`${CHATS} chats, found and opened by the switcher, typing included, ms`]: found,
    [`${CHATS} chats, elements in the page`]: nodes,
  });
  assert.ok(middle("paint") < 5_000 && middle("usable") < 15_000 && found < 10_000, JSON.stringify(times));
});

stage.scene(`${MESSAGES} messages: the page stays small while one scrolls through all of them`, async () => {
  const [ada, ben] = stage.people;
  const chat = await ask("POST", "talk_chats", { type: "group", name: "Long", participants: owners(ben) }, ada);
  await many(MESSAGES, (place) => ask("POST", "talk_messages", {
    chat_id: chat.id, type: "normal", text: `Message ${place}. ${"Some words that make lines of many lengths. ".repeat(place % 7)}`,
  }, place % 3 === 0 ? ada : ben));
  const desk = await stage.seat(ada);
  await desk.page.evaluate(() => {
    const watched = /** @type {any} */ (window);
    watched.long = [];
    new PerformanceObserver((list) => watched.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  });
  const began = Date.now();
  await desk.open("Long");
  await desk.chat.locator("article.message").last().waitFor();
  const opened = Date.now() - began;
  const took = Date.now();
  const result = await desk.chat.locator(".scroller").evaluate(async (scroller) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    let most = 0;
    let [frames, slow, before] = [0, 0, performance.now()];
    const step = async (by) => {
      scroller.scrollTop += by;
      await frame();
      const now = performance.now();
      frames += 1;
      if (now - before > 100) slow += 1;
      before = now;
      most = Math.max(most, scroller.querySelectorAll("*").length);
    };
    while (!scroller.querySelector(".about-chat")) await step(-1500);
    const height = scroller.scrollHeight;
    for (let at = 0; at < 300; at += 1) await step(height / 300);
    return { most, frames, slow, height };
  });
  const long = await desk.page.evaluate(() => /** @type {any} */ (window).long);
  await desk.say("typed below all the others");
  await desk.sees("typed below all the others");
  const longest = Math.max(0, ...long);
  tell({
    [`${MESSAGES} messages, chat opened, ms`]: opened,
    [`${MESSAGES} messages, read back to the first and down again, ms`]: Date.now() - took,
    [`${MESSAGES} messages, frames over 100 ms`]: `${result.slow} of ${result.frames}`,
    [`${MESSAGES} messages, tasks over 200 ms`]: long.filter((/** @type {number} */ one) => one > 200).length,
    [`${MESSAGES} messages, longest task, ms`]: longest,
    [`${MESSAGES} messages, elements of the list in the page at most`]: result.most,
  });
  assert.ok(result.most < 2_000, `the page holds what is near the view, not ${result.most} elements`);
  assert.ok(longest < 1_500, `no task holds the page for ${longest} ms`);
});
