// Whatever people type, upload or call themselves is shown as text and nothing else: nothing of it
// runs, nothing of it is followed that is not a link of the web or of mail, and nothing of it breaks
// the page apart.

import assert from "node:assert/strict";

import { call, owners, people } from "../kit/people.mjs";
import { eventually } from "../kit/eventually.mjs";
import { Stage } from "./desk.mjs";

const RUNS = "window.hacked=1";
const MARKUP = [
  `<script>${RUNS}</script>`,
  `<img src=x onerror=${RUNS}>`,
  `"><svg onload=${RUNS}>`,
  `</textarea><iframe srcdoc="<script>parent.${RUNS}</script>">`,
  `<a href="javascript:${RUNS}">here</a> <style>*{display:none}</style>`,
  `{{constructor.constructor("${RUNS}")()}} \${${RUNS}}`,
];
const LINKS = [
  `javascript:${RUNS}`,
  `JaVaScRiPt:${RUNS}//https://example.org/`,
  `data:text/html,<script>${RUNS}</script>`,
  `java\tscript:${RUNS}`,
  `https://example.org/"onmouseover="${RUNS}`,
  `mailto:a@b.test?subject=<script>${RUNS}</script>`,
  "https://user:secret@example.org:99999/",
  "www.\u202egro.elpmaxe\u202c/txt",
];
const ODD = [
  "\u202egnp.exe\u202c and \u2066isolates\u2069 \u200f\u200e never closed: \u202e\u2067",
  "zero\u200bwidth\u200c\u200d\ufeff\u2060 and \u0000\u0001\u001b[31m",
  `zalgo ${[..."towering"].map((letter) => letter + "\u0300\u0316\u0489\u035c\u0346".repeat(12)).join("")}`,
  "W".repeat(16_000),
  "http://" + "w".repeat(4_000) + ".test/" + "p".repeat(4_000),
  "\n".repeat(3) + "a line after lines",
  "﷽".repeat(40),
  "👩‍👩‍👧‍👦".repeat(60),
];

const stage = new Stage({ names: [] });

/** @param {string} method @param {string} path @param {object} body @param {{ token: string }} person */
const ask = (method, path, body, person) => call(stage.hub.url, method, `/v1.0/service_agents/${path}`, body, person.token);

/** Nothing of what was shown has run, opened or navigated; every link goes to the web or to mail. @param {import("./desk.mjs").Desk} desk */
async function harmless(desk) {
  assert.equal(desk.context.pages().length, 1, "nothing opened by itself");
  const found = await desk.page.evaluate(() => ({
    hacked: /** @type {any} */ (window).hacked,
    links: [...document.links].map(({ href }) => href),
    kinds: [...document.querySelectorAll("iframe, object, embed, base, body script, body style, [onerror], [onload], [onmouseover]")].map((one) => one.outerHTML),
    at: location.pathname,
  }));
  assert.equal(found.hacked, undefined, "nothing that was typed has run");
  for (const link of found.links) assert.match(link, /^(https?:|mailto:)/);
  assert.deepEqual(found.kinds, []);
  assert.equal(found.at, "/");
  assert.ok((await desk.overflow()) <= 0, `the page is as wide as its window, not ${await desk.overflow()} px more`);
}

/** @param {string} name @param {string} type @param {string} text @param {{ token: string }} person */
async function upload(name, type, text, person) {
  const form = new FormData();
  form.set("type", "talk");
  form.set("file", new File([text], name, { type }));
  const answer = await fetch(`${stage.hub.url}/v1.0/service_agents/files`, { method: "POST", body: form, headers: { Authorization: `Bearer ${person.token}` } });
  assert.equal(answer.status, 200);
  return (await answer.json()).id;
}

for (const width of [390, 1280]) {
  stage.scene(`hostile names, texts, links and emoji are text in every part of the page, ${width} px wide`, async () => {
    const names = [`<img src=x onerror=${RUNS}>`, `"><script>${RUNS}</script>`, `\u202e${"evil ".repeat(30)}`, "X".repeat(255)];
    const [me, ...others] = await people(stage.hub, ...names);
    for (const person of [me, ...others]) await ask("PUT", "me", { detail: MARKUP[1].repeat(5) }, person);
    const hostile = await ask("POST", "talk_chats", { type: "group", name: MARKUP[0].padEnd(255, "W"), detail: "D".repeat(2000), participants: owners(...others) }, me);
    await ask("POST", "talk_chats", { type: "talk", name: `${MARKUP[1]}\u202e`, detail: MARKUP[2], participants: [] }, others[0]);
    await ask("POST", "talk_chats", { type: "direct", participants: owners(others[2]) }, me);
    const medias = [...LINKS.map((link) => ({ type: "link", link_url: link })), { type: "address", address: { target: MARKUP[1], name: "N".repeat(500) } }, { type: "agent", agent_id: others[0].id }];
    const first = await ask("POST", "talk_messages", { chat_id: hostile.id, type: "normal", text: MARKUP.join("\n"), medias }, others[1]);
    for (const emoji of ["<b>x</b>", `"onclick="${RUNS}`.slice(0, 60), "W".repeat(64), "👍"]) await ask("POST", `talk_messages/${first.id}/reactions`, { emoji }, others[1]);
    for (const text of [...MARKUP, LINKS.join(" "), ...ODD.map((odd) => odd.replaceAll("\u0000", ""))]) {
      await ask("POST", "talk_messages", { chat_id: hostile.id, type: "normal", text }, others[Math.floor(text.length) % 3]);
    }
    await ask("POST", "talk_messages", { chat_id: hostile.id, type: "normal", text: ODD[3], parent_id: first.id }, others[2]);

    const desk = await stage.seat(me, { viewport: { width, height: 800 } });
    await desk.page.locator(`a.chat-row[data-chat="${hostile.id}"]`).waitFor();
    await harmless(desk);
    await desk.page.locator(`a.chat-row[data-chat="${hostile.id}"]`).click();
    await desk.chat.locator(".scroller:not([aria-busy])").waitFor();
    const shown = await desk.readsAll();
    for (const text of MARKUP) assert.ok(shown.includes(text), `${text} is shown as it was typed`);
    await harmless(desk);
    // Every link of the page is pressed nowhere: what they are says enough. Panels and dialogs next.
    await desk.page.evaluate(({ chat, message }) => { location.hash = `#/${chat}/thread/${message}`; }, { chat: hostile.id, message: first.id });
    await desk.panel.locator("article").first().waitFor();
    await harmless(desk);
    await desk.page.evaluate((chat) => { location.hash = `#/${chat}/members`; }, hostile.id);
    await desk.panel.getByRole("heading", { name: "4 members" }).waitFor();
    await harmless(desk);
    await desk.page.evaluate((chat) => { location.hash = `#/${chat}`; }, hostile.id);
    for (const item of [/^Rename/, /^Leave/, /^Delete/]) {
      await desk.menu(item);
      await desk.dialog.waitFor();
      await harmless(desk);
      await desk.page.keyboard.press("Escape");
      await desk.dialog.waitFor({ state: "detached" });
    }
    await desk.page.keyboard.press("Control+k");
    await desk.page.keyboard.type("<");
    await desk.dialog.getByText("Join").waitFor();
    await harmless(desk);
    await desk.page.keyboard.press("Escape");
    for (const address of ["#/<img src=x onerror=window.hacked=1>", "#/../../x", `#/${hostile.id}/thread/<script>`, "#//example.org", `#/${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)}`]) {
      await desk.page.evaluate((to) => { location.hash = to; }, address);
      await desk.page.locator(".frame").waitFor();
      await harmless(desk);
    }
    // Of a chat that does not exist the hub says so.
    desk.forgives(/status of 40[34]/);
    await eventually("the strange chat is told", async () => (await desk.chat.getByText("This chat cannot be shown").count()) === 1);
  });
}

stage.scene("hostile files are never rendered: they are saved, under a name that is only a name", async () => {
  const [me, other] = await people(stage.hub, "Ada", "Mallory");
  const chat = await ask("POST", "talk_chats", { type: "group", name: "Files", participants: owners(other) }, me);
  const page = `<!doctype html><script>${RUNS};opener&&(opener.hacked=1)</script>`;
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" onload="${RUNS}"><script>${RUNS}</script></svg>`;
  const files = [
    ["page.html", "text/html", page],
    ["drawing.svg", "image/svg+xml", drawing],
    ["picture.png", "image/png", page],
    ["broken.png", "image/png", `\x89PNG\r\n\x1a\n${page}`],
    [`"><img src=x onerror=${RUNS}>.png`, "image/png", drawing],
    ["\u202egnp.exe", "text/html", page],
    ["..\\..\\autorun.inf", "application/x-msdownload", "MZ"],
    [`${"long".repeat(50)}.html`, "text/html", page],
  ];
  const medias = [];
  for (const [name, type, text] of files) medias.push({ type: "file", file_id: await upload(name, type, text, other) });
  await ask("POST", "talk_messages", { chat_id: chat.id, type: "normal", text: "have a look", medias }, other);
  const desk = await stage.seat(me, { viewport: { width: 390, height: 800 } });
  await desk.page.locator("a.chat-row").click();
  await desk.sees("have a look");
  const buttons = desk.chat.getByRole("button", { name: /^Download / });
  await eventually("each can be saved, none is shown", async () => (await buttons.count()) === files.length);
  assert.equal(await desk.chat.locator("article img").count(), 0, "what is no picture is shown as none");
  await harmless(desk);
  for (let place = 0; place < files.length; place += 1) {
    const coming = desk.page.waitForEvent("download");
    await buttons.nth(place).click();
    const download = await coming;
    assert.ok(!/[/\\<>"\u202e]/.test(download.suggestedFilename()), download.suggestedFilename());
    await download.delete();
  }
  await harmless(desk);
  // Also whoever opens the address of the file itself gets it as a file.
  const answer = await fetch(`${stage.hub.url}/v1.0/service_agents/files/${medias[0].file_id}/file`, { headers: { Authorization: `Bearer ${me.token}` } });
  assert.match(answer.headers.get("content-disposition") ?? "", /^attachment/);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  await answer.body?.cancel();
});

stage.scene("what is hostile while it is being typed, pasted or searched for stays text too", async () => {
  const [me, other] = await people(stage.hub, "Ada", "Ben");
  await ask("POST", "talk_chats", { type: "group", name: "Typing", participants: owners(other) }, me);
  const desk = await stage.seat(me);
  await desk.open("Typing");
  for (const text of MARKUP) {
    await desk.say(text);
    await desk.sees(text);
  }
  await desk.composer.fill("W".repeat(16_385));
  await desk.chat.getByText("Too long by 1 characters").waitFor();
  assert.equal(await desk.page.getByRole("button", { name: "Send", exact: true }).isDisabled(), true);
  await desk.composer.fill("");
  await desk.page.keyboard.press("Control+Shift+F");
  await desk.page.getByRole("searchbox", { name: "Search in loaded messages" }).fill("<img src=x");
  await desk.chat.locator("mark").first().waitFor();
  await harmless(desk);
});
