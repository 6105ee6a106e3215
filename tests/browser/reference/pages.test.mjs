// /docs and /docs/events in a real browser: a call is tried with a token and its answer seen; every frame of
// /asyncapi.json can be read, with its fields and examples. Nothing complains, and nobody else is asked.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import axe from "axe-core";

import { eventually } from "../kit/eventually.mjs";
import { ROOT, demoHub, watchedPage } from "./demo.mjs";

/** Keeps a picture, where pictures are wanted. */
const picture = async (page, name) => {
  const folder = process.env.TALK_PICTURES;
  if (!folder) return;
  mkdirSync(path.resolve(ROOT, folder), { recursive: true });
  await page.screenshot({ path: path.resolve(ROOT, folder, `reference-${name}.png`) });
};

test("a token can be given, a call tried and its answer seen", async (t) => {
  const hub = await demoHub(t);
  const page = await watchedPage(t, hub.address);
  await page.goto(`${hub.address}/docs`);
  await page.getByRole("button", { name: "Authorize" }).first().click();
  const ways = await page.locator(".auth-container h4 code").allTextContents();
  assert.deepEqual(ways.map((way) => way.trim()), ["bearer", "admin_token"]);
  await page.locator(".auth-container input").first().fill(hub.tokens.ALICE);
  await page.locator(".auth-container button[type=submit]").first().click();
  await page.locator(".modal-ux .btn-done").first().click();
  const call = page.locator(".opblock", { has: page.locator("[data-path='/v1.0/service_agents/me']") }).first();
  await call.locator(".opblock-summary-control").click();
  await call.getByRole("button", { name: "Execute" }).click();
  const answer = call.locator(".live-responses-table tbody .response").first();
  assert.equal(await answer.locator(".response-col_status").innerText(), "200");
  assert.match(await answer.locator(".response-col_description").innerText(), /alice@demo\.test/);
  await picture(page, "call-tried");
  assert.deepEqual(page.complaints, []);
});

test("without a token the answer says so", async (t) => {
  const hub = await demoHub(t);
  const page = await watchedPage(t, hub.address);
  await page.goto(`${hub.address}/docs`);
  const call = page.locator(".opblock", { has: page.locator("[data-path='/v1.0/service_agents/me']") }).first();
  await call.locator(".opblock-summary-control").click();
  await call.getByRole("button", { name: "Execute" }).click();
  const answer = call.locator(".live-responses-table tbody .response").first();
  assert.match(await answer.locator(".response-col_description").innerText(), /AUTHENTICATION_REQUIRED/);
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 420]) {
    test(`every frame can be read, ${colorScheme}, ${width} wide`, async (t) => {
      const hub = await demoHub(t);
      const page = await watchedPage(t, hub.address, { colorScheme, viewport: { width, height: 900 } });
      await page.goto(`${hub.address}/docs/events`);
      await page.locator("#events:not([aria-busy])").waitFor();
      const api = await (await fetch(`${hub.address}/asyncapi.json`)).json();
      for (const [name, message] of Object.entries(api.components.messages)) {
        const section = page.locator(`section[aria-labelledby='frame-${name}']`);
        const rows = await section.locator("tbody th code").allTextContents();
        assert.deepEqual(rows.sort(), Object.keys(message.payload.properties).sort(), name);
        const examples = await section.locator("pre").allTextContents();
        assert.deepEqual(examples.map((text) => JSON.parse(text)), message.examples.map(({ payload }) => payload), name);
      }
      for (const [name, schema] of Object.entries(api.components.schemas)) {
        const section = page.locator(`section[aria-labelledby='schema-${name.toLowerCase()}']`);
        assert.equal(await section.locator("tbody tr").count(), Object.keys(schema.properties ?? {}).length, name);
      }
      const ends = await page.locator("h2#ends ~ .wide").first().locator("tbody tr td:first-child").allTextContents();
      const codes = Object.values(api.channels)[0]["x-close-codes"].map(({ code }) => String(code));
      assert.deepEqual(ends, codes);
      const broken = await page.locator("a[href^='#']").evaluateAll((links) =>
        links.map((link) => link.getAttribute("href")).filter((href) => !document.getElementById(href.slice(1))));
      assert.deepEqual(broken, []);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels wider than the window`);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate("axe.run()");
      const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
      assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
      await picture(page, `events-${colorScheme}-${width}`);
      await page.goto(`${hub.address}/docs/events#frame-resync`);
      await eventually("the frame that the address names is in sight", () =>
        page.locator("#frame-resync").evaluate((heading) => heading.getBoundingClientRect().top < innerHeight));
      await page.goto(`${hub.address}/docs`);
      await page.locator(".opblock").first().waitFor();
      await picture(page, `calls-${colorScheme}-${width}`);
      assert.deepEqual(page.complaints, []);
    });
  }
}
