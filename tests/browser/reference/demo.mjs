// What the tests of the reference need besides the kit: a demo hub, programs whose output is kept, and a page that
// is held to asking nobody but its hub. Everything started here ends with the test.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { browser, newPage } from "../kit/chromium.mjs";
import { eventually } from "../kit/eventually.mjs";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** @typedef {import("node:test").TestContext} Test */

/** A folder that is gone after the test. @param {Test} test */
export function folder(test) {
  const made = mkdtempSync(path.join(os.tmpdir(), "talk-reference-"));
  test.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/**
 * A program whose output is kept; it is killed after the test.
 * @param {Test} test @param {string} program @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string> }} [options]
 */
export function run(test, program, args, options = {}) {
  const env = { PATH: process.env.PATH ?? "", ...options.env };
  const child = spawn(program, args, { ...options, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((end) => child.once("exit", end));
  const started = { child, ended, stdout: "", stderr: "" };
  child.stdout.on("data", (bytes) => (started.stdout += bytes));
  child.stderr.on("data", (bytes) => (started.stderr += bytes));
  test.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return started;
}

/** A hub as the guide begins with: its address, and the tokens of its people by name. @param {Test} test */
export async function demoHub(test) {
  const target = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target");
  const binary = process.env.TALK_HUB_BIN ?? path.join(target, "debug/talk-hub");
  const env = { TALK__SERVER__BIND: "127.0.0.1:0", TALK__STORE__DIR: folder(test) };
  const hub = run(test, binary, ["--demo"], { env });
  const address = await eventually("the hub says where it is", () => /listening on (http:\S+)/.exec(hub.stdout)?.[1]);
  await eventually("the hub says who is there", () => hub.stdout.includes("CAROL="));
  const tokens = Object.fromEntries([...hub.stdout.matchAll(/^([A-Z]+)=(\S+)/gm)].map(([, name, token]) => [name, token]));
  return { address, tokens };
}

/**
 * A page; `page.complaints` has what it said on its console, and whom it asked besides its hub.
 * @param {Test} test @param {string} address
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function watchedPage(test, address, options = {}) {
  const chromium = await browser();
  test.after(() => chromium.close());
  const page = await newPage(await chromium.newContext({ viewport: { width: 1280, height: 900 }, ...options }));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${address}/`) && !url.startsWith("data:")) page.complaints.push(`asked for ${url}`);
  });
  return page;
}
