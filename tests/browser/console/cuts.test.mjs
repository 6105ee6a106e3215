// What breaks breaks under two people who write: a node, a network, a restart. Nothing is lost or
// doubled on their screens, and the order is the server's. Names and texts are read off the page.

import assert from "node:assert/strict";

import { eventually } from "../kit/eventually.mjs";
import { call, owners } from "../kit/people.mjs";
import { CUT, Stage } from "./desk.mjs";
import { Nodes } from "./nodes.mjs";

const stage = new Stage({ hub: Nodes.start });
/** @returns {Nodes} */
const nodes = () => /** @type {any} */ (stage.hub);

/** Two who look at a chat of their own, each through a door of their own. @param {string} name */
async function pair(name) {
  const [ada, ben] = stage.people;
  const chat = await call(stage.hub.url, "POST", "/v1.0/service_agents/talk_chats", { type: "group", name, participants: owners(ben) }, ada.token);
  const doors = [await nodes().door(), await nodes().door()];
  const desks = [await stage.seat(ada, { url: doors[0].url }), await stage.seat(ben, { url: doors[1].url })];
  for (const desk of desks) {
    desk.forgives(CUT);
    await desk.open(name);
  }
  return { chat, doors, desks };
}

/** The texts of a chat as the hub has them, oldest first. @param {{ id: string }} chat */
async function told(chat) {
  const [{ token }] = stage.people;
  const texts = [];
  for (let page = ""; ; ) {
    const asked = `/v1.0/service_agents/talk_messages?chat_id=${chat.id}&order=asc&page_token=${encodeURIComponent(page)}`;
    const { result, next_page_token: next } = await call(stage.hub.url, "GET", asked, undefined, token);
    if (result.length === 0) return texts;
    texts.push(...result.map((/** @type {{ text: string }} */ { text }) => text));
    page = next;
  }
}

/**
 * Both see all that was said, once, and as the hub has it.
 * @param {import("./desk.mjs").Desk[]} desks @param {{ id: string }} chat @param {string[]} said
 */
async function allSee(desks, chat, said) {
  for (const desk of desks) {
    await eventually("all is with the hub", async () => (await desk.chat.locator("article.sending, article.failed").count()) === 0, 40_000);
    await eventually("the screen shows what the hub has", async () => {
      const [seen, has] = [await desk.readsAll(), await told(chat)];
      assert.deepEqual(seen, has);
      assert.deepEqual([...seen].sort(), [...said].sort());
      return true;
    }, 40_000);
  }
}

stage.scene("a node is killed under two who write fast, then the other: nothing is lost, doubled or out of order", async () => {
  const { chat, desks } = await pair("Killed nodes");
  const said = [];
  let written = 0;
  const write = async (desk, who) => {
    for (let place = 0; place < 45; place += 1) {
      const text = `${who} says ${place} of 45`;
      said.push(text);
      await desk.say(text);
      written += 1;
    }
  };
  const break_ = async () => {
    for (const [place, hub] of nodes().hubs.entries()) {
      await eventually("some was written", () => written >= 20 + place * 40);
      await hub.kill();
      await eventually("it goes on without", () => written >= 35 + place * 40);
      await hub.again();
    }
  };
  await Promise.all([write(desks[0], "Ada"), write(desks[1], "Ben"), break_()]);
  assert.equal(said.length, 90);
  await allSee(desks, chat, said);
});

stage.scene("whoever is cut off is told so, writes on, and is heard once, in order, when the network is back", async () => {
  const { chat, doors, desks } = await pair("Cut off");
  const [hers, mine] = desks;
  await hers.say("before the cut");
  await mine.sees("before the cut");
  doors[0].mode = "refused";
  doors[0].cut();
  await hers.banner.getByText("What you write is sent when it is back.").waitFor();
  for (const word of ["one", "two", "three"]) await hers.say(`while offline, ${word}`);
  await hers.message("while offline, three").getByText("Sending").waitFor();
  await mine.say("she does not hear this yet");
  await mine.sees("she does not hear this yet");
  assert.equal(await mine.message("while offline").count(), 0);
  assert.equal(await hers.message("does not hear").count(), 0);
  doors[0].mode = "through";
  await hers.banner.getByRole("button", { name: "Retry now" }).click();
  await hers.banner.waitFor({ state: "hidden" });
  await mine.sees("while offline, three");
  await allSee(desks, chat, ["before the cut", "she does not hear this yet", "while offline, one", "while offline, two", "while offline, three"]);
  const seen = await mine.readsAll();
  assert.deepEqual(seen.filter((text) => text.startsWith("while")), ["while offline, one", "while offline, two", "while offline, three"]);
});

stage.scene("a network that loses answers without a word makes nothing double", async () => {
  const { chat, doors, desks } = await pair("Lost answers");
  const said = ["the first word"];
  await desks[0].say(said[0]);
  await desks[1].sees(said[0]);
  // The hub takes the message; the answer, and the event, never arrive.
  doors[0].onAnswer = () => false;
  for (const word of ["second", "third"]) {
    said.push(`the ${word} word`);
    await desks[0].say(`the ${word} word`);
  }
  await desks[1].sees("the second word");
  doors[0].onAnswer = null;
  await allSee(desks, chat, said);
});

stage.scene("a hub that restarts is waited for; what was written meanwhile is sent once", async () => {
  const { chat, desks } = await pair("Restarted");
  await desks[0].say("before the restart");
  await desks[1].sees("before the restart");
  await Promise.all(nodes().hubs.map((hub) => hub.leave()));
  await desks[0].banner.getByText("What you write is sent when it is back.").waitFor();
  await desks[0].say("during the restart");
  await Promise.all(nodes().hubs.map((hub) => hub.again()));
  await desks[1].sees("during the restart");
  for (const desk of desks) await desk.banner.waitFor({ state: "hidden" });
  await desks[1].say("after the restart");
  await desks[0].sees("after the restart");
  await allSee(desks, chat, ["before the restart", "during the restart", "after the restart"]);
});

stage.scene("what could not be sent is not lost with the page: it warns, and afterwards it stands in the field", async () => {
  const { doors, desks: [hers] } = await pair("Left in a hurry");
  doors[0].mode = "refused";
  doors[0].cut();
  await hers.say("not with the hub yet");
  await hers.message("not with the hub yet").getByText("Sending").waitFor();
  const asked = [];
  hers.page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    void (asked.length === 1 ? dialog.dismiss() : dialog.accept());
  });
  await hers.page.evaluate(() => setTimeout(() => location.reload()));
  await eventually("it is asked whether to leave", () => asked.length === 1);
  await hers.message("not with the hub yet").waitFor();
  // The page goes before the next try.
  await hers.page.route("**/talk_messages", (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
  doors[0].mode = "through";
  await hers.page.reload();
  assert.deepEqual(asked, ["beforeunload", "beforeunload"]);
  await hers.open("Left in a hurry");
  assert.equal(await hers.composer.inputValue(), "not with the hub yet");
  await hers.page.unroute("**/talk_messages");
  await hers.composer.press("Enter");
  await hers.sees("not with the hub yet");
});

stage.scene("what the hub refuses stays on the screen as not sent, and can be tried again or discarded", async () => {
  const { desks: [hers, mine] } = await pair("Refused");
  hers.forgives(/status of 400/);
  const refusal = { error: { status: "INVALID_ARGUMENT", reason: "INVALID_ARGUMENT", message: "no", request_id: "req_x" } };
  await hers.page.route("**/talk_messages", (route) => (route.request().method() === "POST" ? route.fulfill({ status: 400, json: refusal }) : route.continue()));
  for (const text of ["try this again", "forget this"]) {
    await hers.say(text);
    await hers.message(text).getByText("Not sent.").waitFor();
  }
  await hers.page.unroute("**/talk_messages");
  await hers.message("forget this").getByRole("button", { name: "Discard" }).click();
  await hers.misses("forget this");
  await hers.message("try this again").getByRole("button", { name: "Try again" }).click();
  await mine.sees("try this again");
  assert.deepEqual(await hers.readsAll(), ["try this again"]);
});
