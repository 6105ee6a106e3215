// Everything by keys alone: no test here presses a button with a pointer. Where the focus is can be
// seen at every step, it comes back to where it was, and nothing holds it.

import assert from "node:assert/strict";

import { eventually } from "../kit/eventually.mjs";
import { call, owners } from "../kit/people.mjs";
import { Stage } from "./desk.mjs";

const stage = new Stage();

/** What has the focus, and whether that can be seen. @param {import("./desk.mjs").Desk} desk */
function focus(desk) {
  return desk.page.evaluate(() => {
    const at = /** @type {HTMLElement} */ (document.activeElement);
    const rings = [];
    for (let one = at, up = 0; one && up < 3; one = one.parentElement, up += 1) {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
      rings.push((outlineStyle !== "none" && outlineWidth !== "0px") || (up > 0 && boxShadow !== "none" && one.matches(":focus-within")));
    }
    // A field shows its caret; an item of a menu is coloured.
    const seen = rings.some(Boolean) || at.matches("input, textarea") || at.getAttribute("role")?.startsWith("menuitem");
    const box = at.getBoundingClientRect();
    return {
      tag: at.tagName, text: at.textContent ?? "", label: at.getAttribute("aria-label") ?? at.id, inside: Boolean(at.closest("dialog")),
      seen: at !== document.body && seen && box.bottom > 0 && box.top < innerHeight && box.width > 0,
    };
  });
}

/** @param {import("./desk.mjs").Desk} desk @param {...string} keys */
async function keys(desk, ...keys) {
  for (const key of keys) {
    await desk.page.keyboard.press(key);
    const at = await focus(desk);
    assert.ok(at.seen || at.tag === "BODY", `after ${key} the focus is seen, on ${at.tag} ${at.label}`);
  }
}

/** Tab until this has the focus. @param {import("./desk.mjs").Desk} desk @param {(at: Awaited<ReturnType<typeof focus>>) => boolean} wanted */
async function tabTo(desk, wanted, key = "Tab") {
  for (let step = 0; step < 60; step += 1) {
    const at = await focus(desk);
    if (wanted(at)) return;
    await keys(desk, key);
  }
  assert.fail("it cannot be reached by Tab");
}

/** @param {import("./desk.mjs").Desk} desk @param {string} label */
const focused = (desk, label) => eventually(`${label} has the focus`, async () => (await focus(desk)).label === label);

/** Somebody who came in by keys. */
async function enter(person) {
  const desk = await stage.desk();
  await eventually("the first field has the focus", async () => (await focus(desk)).tag === "INPUT");
  await desk.page.keyboard.type(person.username);
  await keys(desk, "Tab");
  await desk.page.keyboard.type(person.password);
  await desk.page.keyboard.press("Enter");
  await desk.page.locator(".frame").waitFor();
  return desk;
}

stage.scene("from the sign-in to a group, a message, a reaction and a reply, by keys alone", async () => {
  const desk = await enter(stage.people[0]);
  await tabTo(desk, ({ label }) => label === "New chat");
  await keys(desk, "Enter", "ArrowDown", "Enter");
  await focused(desk, await desk.dialog.getByLabel("Name", { exact: true }).getAttribute("id"));
  await desk.page.keyboard.type("By keys");
  await tabTo(desk, ({ label }) => label === "Find people");
  await desk.page.keyboard.type("ben");
  await keys(desk, "Enter");
  await desk.dialog.getByRole("button", { name: "Take out Ben Okri" }).waitFor();
  await tabTo(desk, ({ text }) => text === "Create");
  await desk.page.keyboard.press("Enter");
  await focused(desk, "Message");
  await desk.page.keyboard.type("first line");
  await desk.page.keyboard.press("Shift+Enter");
  await desk.page.keyboard.type("second line");
  await desk.page.keyboard.press("Enter");
  await desk.sees("second line");
  await focused(desk, "Message");

  // To the message, react to it, and back on it.
  await keys(desk, "ArrowUp", "e");
  await focused(desk, "Search emoji");
  await desk.page.keyboard.type("clap");
  await desk.page.keyboard.press("Enter");
  await desk.message("first line").getByRole("button", { name: /^👏 1/ }).waitFor();
  await eventually("the focus is at the message", async () => /first line/.test((await focus(desk)).label) || (await focus(desk)).label === "Add a reaction");
  await tabTo(desk, ({ label }) => /^👏 1/.test(label));
  await keys(desk, "Enter");
  await desk.message("first line").locator(".pill").waitFor({ state: "detached" });
  await keys(desk, "F6", "ArrowUp");
  await eventually("the message has the focus", async () => /first line/.test((await focus(desk)).label));
  await keys(desk, "r");
  await focused(desk, "Reply");
  await desk.page.keyboard.type("by keys as well");
  await desk.page.keyboard.press("Enter");
  await desk.sees("by keys as well", desk.panel);
  await keys(desk, "Escape");
  await desk.panel.waitFor({ state: "hidden" });
  await focused(desk, "Message");
  await keys(desk, "ArrowUp", "Delete");
  await desk.dialog.getByText("Delete this message?").waitFor();
  await keys(desk, "Escape");
  await eventually("the focus is at the message again", async () => /by keys|first line/.test((await focus(desk)).label));
});

stage.scene("the switcher, the members and the sheet of keys open and close by keys, and the focus comes back", async () => {
  const [ada, ben] = stage.people;
  for (const name of ["One", "Two", "Three"]) await call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "group", name, participants: owners(ben) }, ada.token);
  const desk = await enter(ada);
  await focused(desk, "Message");
  await keys(desk, "Control+k");
  await focused(desk, "Find a chat, a person or a channel");
  await desk.page.keyboard.type("tw");
  await desk.dialog.getByRole("option", { name: /Two/ }).waitFor();
  await desk.page.keyboard.press("Enter");
  await desk.chat.getByRole("heading", { level: 1, name: "Two" }).waitFor();
  await focused(desk, "Message");
  await keys(desk, "Control+k", "Escape");
  await desk.dialog.waitFor({ state: "detached" });
  await focused(desk, "Message");
  await keys(desk, "Alt+ArrowUp");
  await desk.chat.getByRole("heading", { level: 1, name: "Three" }).waitFor();
  await keys(desk, "Alt+ArrowDown");
  await desk.chat.getByRole("heading", { level: 1, name: "Two" }).waitFor();
  await keys(desk, "Control+Shift+m");
  await desk.panel.getByText("2 members").waitFor();
  await keys(desk, "Escape");
  await desk.panel.waitFor({ state: "hidden" });
  await focused(desk, "Message");
  await keys(desk, "Shift+Tab");
  await tabTo(desk, ({ label }) => label === "Keys", "Shift+Tab");
  await keys(desk, "Enter");
  await desk.dialog.getByRole("heading", { name: "Keys" }).waitFor();
  await keys(desk, "Escape");
  await focused(desk, "Keys");
  await keys(desk, "?");
  await desk.dialog.getByRole("heading", { name: "Keys" }).waitFor();
  await keys(desk, "Escape");
  await focused(desk, "Keys");
});

stage.scene("Tab goes all around the page and through an open dialog, and nothing holds it", async () => {
  const [ada] = stage.people;
  const desk = await enter(ada);
  await focused(desk, "Message");
  const first = new Set();
  let around = false;
  for (let step = 0; step < 80 && !around; step += 1) {
    await desk.page.keyboard.press("Tab");
    const at = await focus(desk);
    assert.ok(at.seen || at.tag === "BODY", `the focus is seen on ${at.tag} ${at.label} ${at.text.slice(0, 30)}`);
    if (at.label === "Message" && step > 3) around = true;
    first.add(`${at.tag} ${at.label} ${at.text.slice(0, 30)}`);
  }
  assert.ok(around, "Tab comes around");
  for (const wanted of ["New chat", "Browse channels", "Attach files", "Insert an emoji", "Chat menu", "Keys"]) {
    assert.ok([...first].some((one) => one.includes(wanted)), `Tab reaches ${wanted}: ${[...first].join("; ")}`);
  }
  await keys(desk, "Control+k", "Escape");
  await tabTo(desk, ({ label }) => label === "New chat");
  await keys(desk, "Enter", "Enter");
  await desk.dialog.waitFor();
  for (let step = 0; step < 25; step += 1) {
    await desk.page.keyboard.press("Tab");
    const at = await focus(desk);
    assert.ok(at.inside || at.tag === "BODY", "the focus stays in the dialog");
  }
  await desk.page.keyboard.press("Escape");
  await desk.dialog.waitFor({ state: "detached" });
  await focused(desk, "New chat");
});
