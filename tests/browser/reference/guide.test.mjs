// The programs of docs/guide.md, run out of the page against a real hub: cut off in the middle, and started again.
// What they print is what the page says.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { eventually } from "../kit/eventually.mjs";
import { Proxy } from "../kit/proxy.mjs";
import { ROOT, demoHub, folder, run } from "./demo.mjs";

const page = readFileSync(path.join(ROOT, "docs/guide.md"), "utf8");

/** The text of the only block whose fence says this. */
const block = (fence) => {
  const found = page.split("```" + fence + "\n").slice(1).map((rest) => rest.split("\n```")[0] + "\n");
  assert.equal(found.length, 1, `${fence}: ${found.length} blocks`);
  return found[0];
};

// Node 20 has a WebSocket behind a flag; later ones have it without.
const flags = globalThis.WebSocket ? [] : ["--experimental-websocket", "--no-warnings"];
/** How a program of the guide is started. @param {string[]} args */
const command = ([name, ...args]) => [...(name === "follow.mjs" ? flags : []), name, ...args];

test("the guide's programs miss and repeat nothing over a cut and a restart", async (t) => {
  const hub = await demoHub(t);
  const wire = await Proxy.to(hub.address);
  t.after(() => wire.stop());
  const cwd = folder(t);
  for (const [, name] of page.matchAll(/^```js file=(\S+)$/gm)) writeFileSync(path.join(cwd, name), block(`js file=${name}`));
  const node = (args, address) => run(t, process.execPath, command(args), { cwd, env: { HUB: address } });
  const say = async (...texts) => {
    const said = node(["say.mjs", ...texts], hub.address);
    assert.equal(await said.ended, 0, said.stderr);
  };
  const prints = (program, text) => eventually(`it prints ${text}: ${program.stdout}${program.stderr}`, () => program.stdout.includes(text));
  const told = block("text output").trimEnd().split("\n");
  const texts = told.filter((line) => line.includes(": ")).map((line) => line.split(": ")[1]);

  const first = node(["follow.mjs"], wire.url);
  await prints(first, "live");
  await say(texts[0], texts[1]);
  await prints(first, texts[1]);
  await say(texts[2]);
  await prints(first, texts[2]);
  wire.mode = "refused";
  wire.cut();
  await prints(first, "away");
  await say(texts[3]);
  wire.mode = "through";
  await prints(first, texts[3]);
  first.child.kill("SIGINT");
  await first.ended;
  assert.equal(first.stdout, block("text output"), first.stderr);

  const again = block("text again");
  await say(again.trimEnd().split(": ")[1]);
  const second = node(["follow.mjs"], wire.url);
  await prints(second, again.trimEnd().split("\n").at(-1));
  second.child.kill("SIGINT");
  await second.ended;
  assert.equal(second.stdout, again, second.stderr);

  mkdirSync(path.join(cwd, "node_modules"));
  symlinkSync(path.join(ROOT, "src/web/client"), path.join(cwd, "node_modules/talk-hub-client"));
  const library = block("text library");
  const third = node(["console.mjs"], wire.url);
  await prints(third, library.trimEnd().split("\n").at(-1));
  wire.cut();
  await say("And this?");
  await prints(third, "And this?");
  assert.equal(third.stdout, `${library}Alice: And this?\n`, third.stderr);
});

test("a message that is said while the link is cut is there once when it is mended", async (t) => {
  const hub = await demoHub(t);
  const wire = await Proxy.to(hub.address);
  t.after(() => wire.stop());
  const cwd = folder(t);
  for (const name of ["hub.mjs", "say.mjs"]) writeFileSync(path.join(cwd, name), block(`js file=${name}`));
  const texts = Array.from({ length: 40 }, (_, n) => `number ${n}`);
  const saying = run(t, process.execPath, command(["say.mjs", ...texts]), { cwd, env: { HUB: wire.url } });
  const bearer = { headers: { Authorization: `Bearer ${hub.tokens.BOB}` } };
  const list = async () => (await (await fetch(`${hub.address}/v1.0/service_agents/talk_messages?page_size=100`, bearer)).json()).result;
  for (const some of [5, 15, 25]) {
    await eventually(`${some} are there: ${saying.stderr}`, async () => (await list()).length >= some);
    wire.cut();
  }
  assert.equal(await saying.ended, 0, saying.stderr);
  assert.deepEqual((await list()).map((message) => message.text).reverse(), texts);
});
