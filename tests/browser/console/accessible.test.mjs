// axe-core looks at every part of the console in both themes: nothing serious, nothing critical.

import assert from "node:assert/strict";

import axe from "axe-core";

import { Stage } from "./desk.mjs";
import { Office } from "./office.mjs";

const stage = new Stage({ names: [] });

/** @param {import("./desk.mjs").Desk} desk @param {string} part */
async function grave(desk, part) {
  // Colours that still fade are none to measure.
  await desk.page.waitForFunction(() => document.getAnimations().every((one) => one.playState !== "running" || one.effect?.getTiming().iterations === Infinity));
  await desk.page.evaluate(axe.source);
  const found = await desk.page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"], preload: false });
    return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, at: nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`) }));
  });
  const bad = found.filter(({ impact }) => impact === "serious" || impact === "critical");
  return bad.map((one) => `${part}: ${JSON.stringify(one, null, 1)}`);
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  stage.scene(`nothing hinders people with screen readers or weak sight, ${colorScheme}`, async () => {
    const office = await Office.open(stage.hub);
    const desk = await stage.desk({ colorScheme });
    /** @type {string[]} */
    const found = [];
    const look = async (/** @type {string} */ part) => found.push(...(await grave(desk, `${part}, ${colorScheme}`)));
    await look("sign-in");
    await desk.signIn(office.me);
    await office.news();
    await desk.row("support").waitFor();
    await desk.open("incident-room");
    await desk.sees("Thank you. I write the summary");
    await desk.chat.getByRole("img", { name: "dropped-calls.png" }).waitFor();
    await look("chat list and chat");
    await desk.message("Trace of one call").hover();
    await look("tools of a message");
    await desk.press("Trace of one call", "Add a reaction");
    await look("emoji picker");
    await desk.page.keyboard.press("Escape");
    await desk.page.evaluate(({ chat, message }) => { location.hash = `#/${chat}/thread/${message}`; }, { chat: office.incident.id, message: office.root.id });
    await desk.sees("I can reproduce it from here.", desk.panel);
    await look("thread");
    await desk.members();
    await look("members");
    for (const [name, opener, item] of [["group dialog", "New chat", "Group"], ["direct dialog", "New chat", "Direct chat"], ["rename dialog", "Chat menu", /^Rename/], ["delete dialog", "Chat menu", /^Delete chat/], ["keys", /Own menu/, "Keys"]]) {
      await desk.menu(item, opener);
      await desk.dialog.waitFor();
      await look(name);
      await desk.page.keyboard.press("Escape");
      await desk.dialog.waitFor({ state: "detached" });
    }
    await desk.page.getByRole("button", { name: /Own menu/ }).click();
    await look("own menu");
    await desk.page.keyboard.press("Escape");
    await desk.page.getByRole("button", { name: "Browse channels" }).click();
    await desk.dialog.getByText("lunch").waitFor();
    await look("channels");
    await desk.page.keyboard.press("Escape");
    await desk.page.keyboard.press("Control+k");
    await look("switcher");
    await desk.page.keyboard.press("Escape");
    await desk.page.keyboard.press("Control+Shift+F");
    await desk.page.getByRole("searchbox", { name: "Search in loaded messages" }).fill("edge");
    await desk.chat.locator("mark").first().waitFor();
    await look("search");
    assert.equal(found.join("\n"), "");
  });
}
