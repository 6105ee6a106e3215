// A demo hub, a link to it that can be cut, and a browser that watches what a page does: what the tests of the
// reference need. Everything started here ends with the test.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PATIENCE_MS = 30_000;

/** Waits until `condition` gives something, looking often; what it gave. */
export const eventually = async (what, condition) => {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const found = await condition();
    if (found) return found;
    await new Promise((over) => setTimeout(over, 20));
  }
  throw new Error(`${what}: not within ${PATIENCE_MS} ms`);
};

/** A folder that is gone after the test. */
export const folder = (test) => {
  const made = mkdtempSync(path.join(os.tmpdir(), "talk-reference-"));
  test.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
};

/** A program whose output is kept; it is killed after the test. */
export const run = (test, program, args, options = {}) => {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const started = { child, stdout: "", stderr: "", ended: new Promise((end) => child.once("exit", end)) };
  child.stdout.on("data", (bytes) => (started.stdout += bytes));
  child.stderr.on("data", (bytes) => (started.stderr += bytes));
  test.after(async () => {
    child.kill("SIGKILL");
    await started.ended;
  });
  return started;
};

/** A demo hub: its address, and the tokens of its people by name. */
export const demoHub = async (test) => {
  const binary = process.env.TALK_HUB_BIN ?? path.join(ROOT, process.env.CARGO_TARGET_DIR ?? "target", "debug/talk-hub");
  const env = { PATH: process.env.PATH, TALK__SERVER__BIND: "127.0.0.1:0", TALK__STORE__DIR: folder(test) };
  const hub = run(test, binary, ["--demo"], { env });
  await eventually("the hub says who is there", () => hub.stdout.includes("CAROL=") && hub.stdout.includes("listening on"));
  const tokens = Object.fromEntries([...hub.stdout.matchAll(/^([A-Z]+)=(\S+)/gm)].map(([, name, token]) => [name, token]));
  return { address: /listening on (http:\S+)/.exec(hub.stdout)[1], tokens };
};

/** A TCP link to an address: `cut()` breaks what goes over it and refuses more, until `mend()`. */
export const link = async (test, address) => {
  const { hostname, port } = new URL(address);
  const open = new Set();
  let whole = true;
  const server = net.createServer((near) => {
    if (!whole) return near.destroy();
    const far = net.connect(Number(port), hostname);
    for (const end of [near, far]) {
      open.add(end);
      end.on("error", () => {});
      end.on("close", () => (open.delete(end), near.destroy(), far.destroy()));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const cut = () => {
    whole = false;
    open.forEach((end) => end.destroy());
  };
  test.after(() => (cut(), server.close()));
  return { address: `http://127.0.0.1:${server.address().port}`, cut, mend: () => (whole = true) };
};

/** A page that may ask nobody but `address` and say nothing on its console; `complaints` has what it did of that. */
export const watchedPage = async (test, address, options = {}) => {
  const args = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
  test.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const complaints = [];
  page.on("console", (line) => complaints.push(`${line.type()}: ${line.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${address}/`) && !url.startsWith("data:")) complaints.push(`asked for ${url}`);
  });
  return { page, complaints };
};
