// People everywhere: times in the zone of who reads, days that begin at their midnight, text from
// right to left, and emoji of every kind.

import assert from "node:assert/strict";

import { call, owners } from "../kit/people.mjs";
import { Stage } from "./desk.mjs";

const stage = new Stage();

/** @param {string} name @param {string[]} texts */
async function chatOf(name, texts) {
  const [ada, ben] = stage.people;
  const chat = await call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "group", name, participants: owners(ben) }, ada.token);
  const made = [];
  for (const text of texts) made.push(await call(stage.hub.url, "POST", "/v1.0/service_agents/talk_messages", { chat_id: chat.id, type: "normal", text }, ben.token));
  return { chat, made };
}

/** Digits and letters, without the spaces that editions of Unicode disagree on. @param {string} text */
const bare = (text) => text.replace(/[\s\u202f]+/gu, " ").trim();

stage.scene("the wire's UTC is told in the zone and the manner of who reads", async () => {
  const { made } = await chatOf("Zones", ["what time is it"]);
  for (const [timezoneId, locale] of [["Asia/Kathmandu", "en-US"], ["Pacific/Kiritimati", "de-DE"], ["America/St_Johns", "en-GB"], ["UTC", "fr-FR"]]) {
    const desk = await stage.seat(stage.people[0], { timezoneId, locale });
    await desk.open("Zones");
    const message = await desk.sees("what time is it");
    const expected = await desk.page.evaluate(([at, zone]) => new Date(at).toLocaleTimeString(undefined, { timeZone: zone, timeStyle: "short" }),
      [`${made[0].tm_create.replace(" ", "T").slice(0, 23)}Z`, timezoneId]);
    assert.equal(bare(await message.locator("time").first().textContent()), bare(expected), timezoneId);
    assert.equal(await message.locator("time").first().getAttribute("datetime"), `${made[0].tm_create.replace(" ", "T").slice(0, 23)}Z`);
  }
});

stage.scene("days begin at the reader's midnight, and yesterday is called so", async () => {
  const texts = ["just before midnight", "just after it", "at noon", "today"];
  const { made } = await chatOf("Days", texts);
  // The hub writes the time; history is made older on its way to the page.
  const [day, wire] = [86_400_000, (/** @type {number} */ at) => new Date(at).toISOString().replace("T", " ").replace("Z", "000")];
  for (const [timezoneId, ahead] of /** @type {const} */ ([["UTC", 0], ["Asia/Kolkata", 330 * 60_000]])) {
    const midnight = Math.floor((Date.now() + ahead) / day) * day - ahead;
    const times = [wire(midnight - day - 1000), wire(midnight - day + 1000), wire(midnight - day / 2), made[3].tm_create];
    const desk = await stage.desk({ timezoneId });
    await desk.page.route("**/talk_messages?*", async (route) => {
      const answer = await route.fetch();
      const page = await answer.json();
      for (const message of page.result ?? []) {
        const place = made.findIndex(({ id }) => id === message.id);
        if (place >= 0) message.tm_create = times[place];
      }
      await route.fulfill({ response: answer, json: page });
    });
    await desk.signIn(stage.people[0]);
    await desk.open("Days");
    await desk.sees("today");
    const heads = await desk.chat.locator(".list-content .day").allTextContents();
    assert.equal(heads.length, 3, `${timezoneId}: ${heads}`);
    assert.equal(heads.at(-1), "Today");
    assert.equal(heads.at(-2), "Yesterday");
    const first = await desk.chat.locator(".row", { has: desk.page.locator(".day").first() }).first().textContent();
    assert.match(first, /just before midnight/);
    const second = desk.message("just after it").locator("xpath=preceding-sibling::div[contains(@class,'day')]");
    assert.equal(await second.count(), 1, "a day begins where it begins for the reader");
  }
});

stage.scene("at midnight today becomes yesterday, without a reload", async () => {
  await chatOf("Midnight", ["late in the evening"]);
  const desk = await stage.desk({ timezoneId: "UTC" });
  await desk.page.clock.install({ time: new Date(new Date().toISOString().slice(0, 10) + "T23:58:30Z") });
  await desk.page.reload();
  await desk.signIn(stage.people[0]);
  await desk.open("Midnight");
  await desk.chat.locator(".list-content .day").getByText("Today").waitFor();
  await desk.page.clock.fastForward("03:00");
  await desk.chat.locator(".list-content .day").getByText("Yesterday").waitFor();
});

stage.scene("text from right to left begins at the right of a bounded column, and mixes with names and links", async () => {
  const arabic = "مرحبا، هل يمكنك مراجعة التقرير اليوم؟";
  const hebrew = "שלום! ראו https://example.com/דוח בבקשה";
  await chatOf("Right to left", [arabic, hebrew, "left again"]);
  const desk = await stage.seat(stage.people[0], { viewport: { width: 1440, height: 800 } });
  await desk.open("Right to left");
  for (const text of [arabic, "שלום"]) {
    const box = (await desk.sees(text)).locator(".text");
    assert.equal(await box.evaluate((one) => getComputedStyle(one).direction), "rtl");
    const ends = await box.evaluate((one) => {
      const range = document.createRange();
      range.selectNodeContents(one);
      return { text: range.getBoundingClientRect().right, pane: one.closest(".scroller").getBoundingClientRect().right };
    });
    assert.ok(ends.pane - ends.text > 250, `it does not fly to the far side of the pane: ${ends.text} of ${ends.pane}`);
  }
  assert.equal(await (await desk.sees("left again")).locator(".text").evaluate((one) => getComputedStyle(one).direction), "ltr");
  const link = desk.chat.locator("article a");
  assert.equal(decodeURI(await link.getAttribute("href")), "https://example.com/דוח");
  await desk.composer.fill("اكتب");
  assert.equal(await desk.composer.evaluate((field) => getComputedStyle(field).direction), "rtl");
});

stage.scene("emoji of every kind are shown whole, and large when they stand alone", async () => {
  const alone = ["👍", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇸🇪", "👋🏽", "1️⃣", "❤️", "🧑🏿‍🚀🎉"];
  const { made } = await chatOf("Emoji", [...alone, "123", "not alone 👍"]);
  const desk = await stage.seat(stage.people[0]);
  await desk.open("Emoji");
  for (const text of alone) {
    const box = desk.chat.locator(".text.jumbo").getByText(text, { exact: true });
    await box.waitFor();
  }
  assert.equal(await desk.message("not alone").locator(".jumbo, .large").count(), 0);
  assert.equal(await desk.message("123").locator(".jumbo, .large").count(), 0);
  await call(stage.hub.url, "POST", `/v1.0/service_agents/talk_messages/${made[0].id}/reactions`, { emoji: "👩‍👩‍👧‍👦" }, stage.people[1].token);
  await desk.chat.getByRole("button", { name: /^👩‍👩‍👧‍👦 1: Ben Okri/ }).click();
  await desk.chat.getByRole("button", { name: /^👩‍👩‍👧‍👦 2/ }).waitFor();
});
