// The library as a package: types hold, the right files are in it, the README's example runs.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, symlink, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Hub } from "../kit/hub.mjs";
import { agent, people } from "../kit/people.mjs";

const run = promisify(execFile);
const CLIENT = fileURLToPath(new URL("../../../src/web/client/", import.meta.url));
const TESTS = fileURLToPath(new URL("../", import.meta.url));

test("the code is what its types say", async () => {
  const { stdout } = await run("node", ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], { cwd: TESTS }).catch((error) => error);
  assert.equal(stdout, "");
});

test("every module is checked, and the published package is the modules, their types and the README", async () => {
  const files = (await readdir(CLIENT)).sort();
  for (const name of files.filter((name) => name.endsWith(".js"))) {
    const text = await readFile(path.join(CLIENT, name), "utf8");
    assert.ok(text.startsWith("// ") && text.includes("// @ts-check"), `${name} is not checked`);
  }
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json"], { cwd: CLIENT });
  const packed = JSON.parse(stdout)[0].files.map((file) => file.path).sort();
  assert.deepEqual(packed, files);
});

test("a browser loads nothing of Node's", async () => {
  for (const name of (await readdir(CLIENT)).filter((name) => name.endsWith(".js") && name !== "node-socket.js")) {
    const text = await readFile(path.join(CLIENT, name), "utf8");
    assert.ok(!/^import .*(node:|node-socket)/m.test(text), name);
  }
});

test("the README's example runs as it stands", async (t) => {
  const hub = await Hub.start();
  t.after(() => hub.stop());
  const [alice] = await people(hub, "Alice");
  await agent(hub, alice.customer_id, "Bob");
  const folder = await mkdtemp(path.join(tmpdir(), "talk-example-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, "node_modules"));
  await symlink(CLIENT, path.join(folder, "node_modules/talk-hub-client"));
  const readme = await readFile(path.join(CLIENT, "README.md"), "utf8");
  const example = /```js\n([\s\S]*?)```/.exec(readme)[1];
  const adapted = example
    .replace("http://127.0.0.1:8080", hub.url)
    .replace('"alice@demo.test", "demo"', `"${alice.username}", "${alice.password}"`);
  await writeFile(path.join(folder, "example.mjs"), adapted);
  const { stdout } = await run("node", ["--preserve-symlinks", "example.mjs"], { cwd: folder, timeout: 30_000 });
  assert.match(stdout, /^live/m);
  assert.match(stdout, /^sending\n[\s\S]*^sent$/m);
});
