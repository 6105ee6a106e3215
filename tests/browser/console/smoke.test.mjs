// The shortest way through the console: two people sign in, one writes, the other sees it, answers
// in a thread and reacts; both are still signed in after a reload, and signed out when they say so.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser, newPage } from "../kit/chromium.mjs";
import { eventually } from "../kit/eventually.mjs";
import { Hub } from "../kit/hub.mjs";
import { call, owners, people } from "../kit/people.mjs";

let hub;
let chromium;
before(async () => {
  hub = await Hub.start();
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await hub?.stop();
});

/** A window of its own in which this person has signed in by the form. */
async function window(person) {
  const page = await newPage(await chromium.newContext({ locale: "en-GB" }));
  await page.goto(hub.url);
  await page.getByLabel("E-mail").fill(person.username);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Chats" }).waitFor();
  return page;
}

test("two people talk, react and answer in a thread, and nothing complains", async () => {
  const [ada, bo] = await people(hub, "Ada", "Bo");
  await call(hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "direct", participants: owners(bo) }, ada.token);
  const [hers, his] = await Promise.all([window(ada), window(bo)]);
  await hers.getByRole("textbox", { name: "Message" }).fill("Good morning, <b>Bo</b>");
  await hers.keyboard.press("Enter");
  const heard = his.getByRole("article", { name: /Good morning, <b>Bo<\/b>/ });
  await heard.waitFor();

  await heard.focus();
  await his.keyboard.press("e");
  await his.keyboard.type("rocket");
  await his.keyboard.press("Enter");
  await hers.getByRole("button", { name: /🚀 1: Bo/ }).waitFor();

  await heard.focus();
  await his.keyboard.press("r");
  await his.getByRole("textbox", { name: "Reply" }).fill("Morning!");
  await his.keyboard.press("Enter");
  await hers.getByRole("button", { name: /1 reply/ }).click();
  await hers.getByRole("region", { name: "Thread" }).getByRole("article", { name: /: Morning!/ }).waitFor();

  for (const page of [hers, his]) {
    await page.reload();
    await page.getByRole("article", { name: /Good morning/ }).first().waitFor();
    await page.getByRole("button", { name: /Own menu/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in to Talk" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Sign in to Talk" }).waitFor();
    await eventually("no more cookie", async () => (await page.context().cookies()).length === 0);
    assert.deepEqual(page.complaints, []);
  }
});

test("the page names every module that it loads, so that they come at once", async () => {
  const page = await newPage(chromium);
  await page.goto(hub.url);
  await page.getByRole("heading", { name: "Sign in to Talk" }).waitFor();
  const { named, loaded } = await page.evaluate(() => ({
    named: [...document.querySelectorAll("link[rel=modulepreload], script[src]")].map((one) => new URL(one.href ?? one.src).pathname),
    loaded: performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname).filter((path) => path.endsWith(".js")),
  }));
  assert.deepEqual([...new Set(loaded)].sort(), named.sort());
  assert.deepEqual(page.complaints, []);
});
