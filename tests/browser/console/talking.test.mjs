// Two people at two browsers talk: what one does, the other sees, without a reload.

import assert from "node:assert/strict";

import { eventually } from "../kit/eventually.mjs";
import { call, owners } from "../kit/people.mjs";
import { Stage } from "./desk.mjs";

const stage = new Stage();

/** A group of all of them, made around the console. @param {string} name @param {object[]} others */
async function group(name, [maker, ...others] = stage.people, type = "group") {
  return call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type, name, participants: owners(...others) }, maker.token);
}

/** @param {object} person @param {{ id: string }} chat @param {string} text */
function post(person, chat, text) {
  return call(stage.hub.url, "POST", "/v1.0/service_agents/talk_messages", { chat_id: chat.id, type: "normal", text }, person.token);
}

stage.scene("a wrong password is told, and the right one leads inside; signing out leads out in every tab", async () => {
  const [ada] = stage.people;
  const desk = await stage.desk();
  desk.forgives(/status of 401/);
  await desk.page.getByLabel("E-mail").fill(ada.username);
  await desk.page.getByLabel("Password").fill("not it");
  await desk.page.keyboard.press("Enter");
  await desk.page.getByRole("alert").getByText(/password/i).waitFor();
  await desk.signIn(ada);
  const other = await desk.tab();
  await desk.menu("Sign out", /Own menu$/);
  await desk.page.getByLabel("E-mail").waitFor();
  await other.page.getByText("You signed out in another tab.").waitFor();
  await desk.page.reload();
  await desk.page.getByLabel("E-mail").waitFor();
});

stage.scene("two people meet in a direct chat, write, react and take back, and see each other do it", async () => {
  const [ada, ben] = stage.people;
  const [mine, hers] = [await stage.seat(ben), await stage.seat(ada)];
  await hers.menu("Direct chat", "New chat");
  await hers.dialog.getByText("Ben Okri").click();
  await hers.dialog.getByRole("button", { name: "Write", exact: true }).click();
  await hers.chat.getByRole("heading", { level: 1, name: "Ben Okri" }).waitFor();
  await hers.say("Good morning\nover two lines");
  await hers.sees("Good morning");
  await mine.open("Ada Lovelace");
  await mine.sees("over two lines");
  await mine.say("Morning!");
  await hers.sees("Morning!");

  await hers.react("Morning!", "clap");
  const pill = (/** @type {import("./desk.mjs").Desk} */ desk) => desk.message("Morning!").locator(".pill");
  await pill(mine).getByText("1").waitFor();
  assert.match(await pill(mine).getAttribute("aria-label"), /^👏 1: Ada Lovelace/);
  await pill(mine).click();
  await pill(hers).getByText("2").waitFor();
  assert.match(await pill(hers).getAttribute("aria-label"), /You and Ben Okri|Ben Okri and You/);
  await pill(hers).click();
  await pill(mine).getByText("1").waitFor();
  assert.equal(await pill(mine).getAttribute("aria-pressed"), "true");

  await mine.press("Morning!", "More actions");
  await mine.page.getByRole("menuitem", { name: "Delete message" }).click();
  await mine.confirm("Delete");
  await hers.sees("This message was deleted");
  await hers.misses("Morning!");
});

stage.scene("a reply stands in its thread for both, and the message counts it", async () => {
  const [ada, ben] = stage.people;
  await group("Threads");
  const [hers, mine] = [await stage.seat(ada), await stage.seat(ben)];
  await hers.open("Threads");
  await mine.open("Threads");
  await hers.say("Who takes the night shift?");
  await mine.sees("Who takes the night shift?");
  await mine.press("Who takes the night shift?", "Reply in thread");
  await mine.panel.getByText("No replies yet").waitFor();
  await mine.reply("I do");
  await mine.sees("I do", mine.panel);
  const line = hers.message("Who takes the night shift?").getByRole("button", { name: /1 reply/ });
  await line.click();
  await hers.sees("I do", hers.panel);
  await hers.reply("Thank you");
  await mine.sees("Thank you", mine.panel);
  await mine.message("Who takes the night shift?").getByRole("button", { name: /2 replies/ }).waitFor();
  await mine.page.reload();
  await mine.sees("Thank you", mine.panel);
});

stage.scene("a group is made, renamed, and changes its members; who leaves or is removed is out at once", async () => {
  const [ada, ben, chen] = stage.people;
  const [hers, mine, third] = [await stage.seat(ada), await stage.seat(ben), await stage.seat(chen)];
  await hers.menu("Group", "New chat");
  await hers.dialog.getByLabel("Name", { exact: true }).fill("Night shift");
  await hers.dialog.getByText("Ben Okri").click();
  await hers.dialog.getByRole("button", { name: "Create" }).click();
  await mine.open("Night shift");
  await hers.menu("Rename and describe");
  await hers.dialog.getByLabel("Name", { exact: true }).fill("Day shift");
  await hers.dialog.getByLabel("What it is about").fill("From six to two");
  await hers.confirm("Save");
  await mine.chat.getByRole("heading", { level: 1, name: "Day shift" }).waitFor();
  await mine.row("Day shift").waitFor();

  await hers.members();
  await hers.panel.getByRole("button", { name: "Add people" }).click();
  await hers.dialog.getByText("Chen Wei").click();
  await hers.confirm("Add");
  await third.open("Day shift");
  await third.sees("Chen Wei joined the conversation.");
  await mine.sees("Chen Wei joined the conversation.");
  await hers.panel.getByText("3 members").waitFor();

  await hers.panel.getByRole("button", { name: "Remove Chen Wei" }).click();
  await hers.confirm("Remove");
  await third.row("Day shift").waitFor({ state: "detached" });
  await hers.sees("Chen Wei left the conversation.");
  assert.equal(await third.composer.isVisible(), false, "who is out can write nothing");
  await third.chat.getByText("You are no longer in this chat").waitFor();

  await mine.menu("Leave");
  await mine.confirm("Leave");
  await mine.row("Day shift").waitFor({ state: "detached" });
  await hers.panel.getByText("1 member").waitFor();
});

stage.scene("a channel is made, found by search, joined and deleted", async () => {
  const [ada, ben] = stage.people;
  const [hers, mine] = [await stage.seat(ada), await stage.seat(ben)];
  await hers.menu("Public channel", "New chat");
  await hers.dialog.getByLabel("Name", { exact: true }).fill("deployments");
  await hers.dialog.getByRole("button", { name: "Create" }).click();
  await hers.chat.getByRole("heading", { level: 1, name: "deployments" }).waitFor();
  await mine.page.getByRole("button", { name: "Browse channels" }).click();
  await mine.dialog.getByRole("searchbox").fill("PLOY");
  await mine.dialog.getByRole("button", { name: "Join deployments" }).click();
  await mine.chat.getByRole("heading", { level: 1, name: "deployments" }).waitFor();
  await hers.sees("Ben Okri joined the conversation.");
  await mine.say("Rolling out");
  await hers.sees("Rolling out");
  await hers.menu("Delete chat");
  await hers.confirm("Delete chat");
  await hers.row("deployments").waitFor({ state: "detached" });
  await mine.chat.getByText("This chat was deleted. It can still be read.").waitFor();
  await mine.sees("Rolling out");
});

stage.scene("what was not read is counted, stands below a line, and is read by looking at it", async () => {
  const [ada, ben] = stage.people;
  const [one, two] = [await group("Unread here"), await group("Elsewhere")];
  await post(ben, one, "before");
  const hers = await stage.seat(ada);
  await hers.open("Unread here");
  await hers.sees("before");
  await hers.open("Elsewhere");
  for (const word of ["first", "second", "third"]) await post(ben, one, `the ${word} of three`);
  await hers.row("Unread here").locator(".badge").getByText("3").waitFor();
  await eventually("the title counts", async () => /^\(3\) /.test(await hers.page.title()));
  await hers.row("Unread here").getByText("the third of three").waitFor();
  await hers.open("Unread here");
  await hers.sees("the third of three");
  assert.equal(await hers.unreadLine.count(), 1);
  const below = hers.unreadLine.locator("xpath=following-sibling::article");
  assert.match(await below.textContent(), /the first of three/);
  await hers.row("Unread here").locator(".badge").waitFor({ state: "detached" });
  await eventually("the title counts no more", async () => !(await hers.page.title()).startsWith("("));
  // Writing is having read.
  await hers.say("an answer");
  await hers.sees("an answer");
  await hers.unreadLine.waitFor({ state: "detached" });
  await post(ada, two, "my own word elsewhere");
  await hers.row("Elsewhere").getByText("my own word elsewhere").waitFor();
  assert.equal(await hers.row("Elsewhere").locator(".badge").count(), 0, "one's own words are not unread");
});

stage.scene("a status is set by its owner and seen by others", async () => {
  const [ada, ben] = stage.people;
  await call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "direct", participants: owners(ben) }, ada.token);
  const [hers, mine] = [await stage.seat(ada), await stage.seat(ben)];
  await mine.open("Ada Lovelace");
  await hers.menu("Busy", /Own menu$/);
  await mine.row("Ada Lovelace").locator(".dot.busy").waitFor();
  await mine.chat.locator(".chat-head").getByText("Busy").waitFor();
  await hers.menu("Offline", /Own menu$/);
  await mine.row("Ada Lovelace").locator(".dot.offline").waitFor();
});

stage.scene("what was begun stays written over another chat and a reload", async () => {
  const [ada] = stage.people;
  await group("Drafts one");
  await group("Drafts two");
  const hers = await stage.seat(ada);
  await hers.open("Drafts one");
  await hers.composer.fill("half a sentence");
  await hers.open("Drafts two");
  assert.equal(await hers.composer.inputValue(), "");
  await hers.row("Drafts one").getByText("Draft:").waitFor();
  await hers.page.reload();
  await hers.open("Drafts one");
  assert.equal(await hers.composer.inputValue(), "half a sentence");
});

/** Presses what is hovered over, posts, and waits until the title tells of it. @param {object} desk @param {() => Promise<unknown>} posts */
async function pressAmid({ page }, posts) {
  const begun = performance.now();
  await page.mouse.down();
  const title = await page.title();
  await posts();
  await page.waitForFunction((before) => document.title !== before, title);
  // On a machine that is busy with something else the page waits no longer by then.
  return { inTime: () => performance.now() - begun < 2500 };
}

stage.scene("a chat is opened by a press during which its row changes and moves", async () => {
  const [ada, ben] = stage.people;
  const first = await group("Pressed");
  await post(ben, first, "before");
  await post(ben, await group("Pressed later"), "and this");
  const hers = await stage.seat(ada);
  await eventually("a press that was no longer than it may be", async () => {
    await hers.open("Pressed later");
    const row = hers.row("Pressed");
    await row.hover();
    const before = await row.locator(".chat-last").textContent();
    const { inTime } = await pressAmid(hers, () => post(ben, first, "amid the press"));
    const held = await row.locator(".chat-last").textContent();
    await hers.page.mouse.up();
    if (!inTime()) return false;
    assert.equal(held, before, "the title tells of it at once, the list when the press is over");
    await hers.chat.getByRole("heading", { level: 1 }).getByText("Pressed", { exact: true }).waitFor();
    await hers.message("amid the press").first().waitFor();
    return true;
  });
});

stage.scene("what comes during a long press is shown before it ends", async () => {
  const [ada, ben] = stage.people;
  const chat = await group("Pressed long");
  await post(ben, chat, "the one before");
  const hers = await stage.seat(ada);
  await hers.row("Pressed long").getByText("the one before").hover();
  await pressAmid(hers, () => post(ben, chat, "the one amid"));
  await hers.row("Pressed long").getByText("the one amid").waitFor();
  await hers.page.mouse.up();
});

stage.scene("a word is found in what is loaded, and marked", async () => {
  const [ada, ben] = stage.people;
  const chat = await group("Searching");
  for (let place = 0; place < 60; place += 1) await post(ben, chat, place % 20 === 3 ? `a needle, number ${place}` : `hay ${place}`);
  const hers = await stage.seat(ada);
  await hers.open("Searching");
  await hers.sees("hay 59");
  await hers.page.keyboard.press("Control+Shift+F");
  await hers.page.getByRole("searchbox", { name: "Search in loaded messages" }).fill("NEEDLE");
  await hers.chat.getByText(/^\d of \d$/).waitFor();
  assert.equal(await hers.chat.locator("mark").first().textContent(), "needle");
  await hers.page.keyboard.press("Escape");
  await hers.chat.locator("mark").waitFor({ state: "detached" });
});
