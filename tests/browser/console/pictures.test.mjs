// Pictures of the console as people will see it, at three widths and in both themes, for people to
// look at: in target/browser/screenshots, or below TALK_TEST_ARTEFACTS. Promises that at every
// width nothing is wider than the window and the newest message stands right above the field.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";

import { eventually } from "../kit/eventually.mjs";
import { ARTEFACTS, Stage } from "./desk.mjs";
import { Office, afternoon } from "./office.mjs";

const stage = new Stage({ names: [] });
const SIZES = [[390, 844], [900, 800], [1440, 900]];
const dir = path.join(ARTEFACTS, "screenshots");

/** Where the last of these stands; what is just drawn again stands nowhere. @param {import("./desk.mjs").Desk} desk @param {string} what */
function box(desk, what) {
  return eventually(`${what} stands somewhere`, () => desk.chat.locator(what).last().boundingBox());
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  stage.scene(`the console is in order at every width, ${colorScheme}`, async () => {
    await mkdir(dir, { recursive: true });
    const office = await Office.open(stage.hub);
    const desk = await stage.desk({ colorScheme, viewport: { width: 1440, height: 900 }, timezoneId: afternoon(), locale: "en-GB" });
    const shoot = async (/** @type {string} */ what, /** @type {number} */ width) => {
      if (what !== "picker") await desk.page.mouse.move(width / 2, 2);
      assert.ok((await desk.overflow()) <= 0, `${what} fits into ${width} px`);
      await desk.page.evaluate(() => document.fonts.ready);
      await desk.page.screenshot({ path: path.join(dir, `${what}-${width}-${colorScheme}.png`), animations: "disabled" });
    };
    for (const [width, height] of SIZES) {
      await desk.page.setViewportSize({ width, height });
      await shoot("sign-in", width);
    }
    await office.spread(desk.page);
    await desk.signIn(office.me);
    await desk.open("incident-room");
    await desk.sees("Thank you. I write the summary");
    await office.news();
    await desk.row("support").locator(".badge").getByText("2").waitFor();
    const { incident, root } = office;
    for (const [width, height] of SIZES) {
      await desk.page.setViewportSize({ width, height });
      const go = (/** @type {string} */ to) => desk.page.evaluate((hash) => { location.hash = hash; }, `#/${to}`);
      if (width < 720) {
        await go("");
        await desk.row("support").waitFor();
        await shoot("list", width);
      }
      await go(incident.id);
      await desk.chat.getByRole("img", { name: "dropped-calls.png" }).waitFor();
      await desk.sees("Thank you. I write the summary");
      const [last, field] = [await box(desk, "article"), await box(desk, ".composer")];
      assert.ok(field.y - (last.y + last.height) < 60 && field.y >= last.y + last.height, "the newest message stands above the field");
      await shoot("chat", width);
      await go(`${incident.id}/thread/${root.id}`);
      await desk.sees("I can reproduce it from here.", desk.panel);
      await shoot("thread", width);
      await go(`${incident.id}/members`);
      await desk.panel.getByText("4 members").waitFor();
      await shoot("members", width);
      await go(office.rtl.id);
      await desk.sees("After the stand-up, yes.");
      const [only, below] = [await box(desk, "article"), await box(desk, ".composer")];
      assert.ok(below.y - (only.y + only.height) < 60, "also in a short chat");
      await shoot("short", width);
      await desk.page.keyboard.press("Control+k");
      await desk.dialog.waitFor();
      await shoot("switcher", width);
      await desk.page.keyboard.press("Escape");
      await go(incident.id);
      await desk.sees("Thank you. I write the summary");
      await desk.press("Rolled back edge-7", "Add a reaction");
      await shoot("picker", width);
      await desk.page.keyboard.press("Escape");
    }
    // As docs/pictures has them.
    await desk.page.setViewportSize({ width: 1280, height: 760 });
    await desk.page.evaluate((hash) => { location.hash = hash; }, `#/${incident.id}/thread/${root.id}`);
    await desk.sees("I can reproduce it from here.", desk.panel);
    await desk.sees("Thank you. I write the summary");
    await shoot("readme", 1280);
  });
}
