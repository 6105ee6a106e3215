// Real hubs and a real Redis, each on a port of its own, gone when the test is over.
//
// The hub is TALK_HUB_BIN, else target/debug/talk-hub (below CARGO_TARGET_DIR, if that is set).

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { eventually } from "./eventually.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const BINARY =
  process.env.TALK_HUB_BIN ?? path.join(path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target"), "debug/talk-hub");
/** Lines of a hub's output that are kept, to be shown when a test fails. */
const LINES_KEPT = 400;

export const ADMIN_TOKEN = "the-admin-token-of-the-test-hubs";
const SECRET = "a secret of at least thirty-two characters, for tests";

/** A port that was free a moment ago. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** A process of ours. */
class Process {
  /** @param {string} command @param {string[]} args @param {Record<string, string>} env */
  constructor(command, args, env) {
    this.lines = [];
    this.child = spawn(command, args, { env: { PATH: process.env.PATH ?? "", HOME: tmpdir(), ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.ended = new Promise((resolve) => {
      this.child.once("exit", resolve);
      this.child.once("error", (error) => {
        this.#keep(String(error));
        resolve(error);
      });
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#keep(line));
    }
  }

  #keep(line) {
    this.lines.push(line);
    if (this.lines.length > LINES_KEPT) this.lines.shift();
  }

  get output() {
    return this.lines.join("\n");
  }

  get running() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** @param {NodeJS.Signals} signal */
  async end(signal) {
    if (this.running) this.child.kill(signal);
    return this.ended;
  }
}

export class Hub {
  /**
   * A hub that is ready. Settings as in config/base.toml: `{"limits.agent_per_second": 0}`.
   * @param {Record<string, string | number | boolean>} [settings]
   */
  static async start(settings = {}) {
    const hub = new Hub();
    hub.dir = await mkdtemp(path.join(tmpdir(), "talk-hub-"));
    hub.settings = settings;
    hub.port = await freePort();
    await hub.run();
    return hub;
  }

  async run() {
    const all = {
      "server.bind": `127.0.0.1:${this.port}`,
      "store.dir": this.dir,
      "auth.secret": SECRET,
      "auth.admin_token": ADMIN_TOKEN,
      "limits.agent_per_second": 0,
      "limits.auth_per_second": 0,
      ...this.settings,
    };
    const env = Object.entries(all).map(([key, value]) => [`TALK__${key.replace(".", "__").toUpperCase()}`, String(value)]);
    this.process = new Process(BINARY, [], Object.fromEntries(env));
    this.url = `http://127.0.0.1:${this.port}`;
    const { process: mine } = this;
    const dead = mine.ended.then(() => Promise.reject(new Error(`the hub has ended: ${mine.output}`)));
    dead.catch(() => {});
    await Promise.race([dead, eventually("the hub is ready", async () => (await fetch(`${this.url}/health/ready`)).ok)]);
  }

  /** Ends it as a crash does. */
  async kill() {
    await this.process.end("SIGKILL");
  }

  /** Ends it as an operator does: it drains. */
  async leave() {
    await this.process.end("SIGTERM");
  }

  /** Starts it again, where it was. */
  async again() {
    await this.run();
  }

  async stop() {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}

export class Redis {
  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    redis.dir = await mkdtemp(path.join(tmpdir(), "talk-redis-"));
    redis.url = `redis://127.0.0.1:${redis.port}`;
    await redis.run();
    return redis;
  }

  async run() {
    const args = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--dir", this.dir];
    this.process = new Process("redis-server", args, {});
    await eventually("redis answers", async () => (await this.command("PING")).includes("PONG"));
  }

  /** What it holds now. */
  async snapshot() {
    await this.command("SAVE");
    return readFile(path.join(this.dir, "dump.rdb"));
  }

  /** Ends it, and starts it with what it held then: as a failover to a replica that lay behind. */
  async restore(kept) {
    await this.process.end("SIGKILL");
    await writeFile(path.join(this.dir, "dump.rdb"), kept);
    await this.run();
  }

  /** @param {...string} words */
  async command(...words) {
    const cli = new Process("redis-cli", ["-p", String(this.port), ...words], {});
    await cli.ended;
    return cli.output;
  }

  async stop() {
    await this.process.end("SIGKILL");
    await rm(this.dir, { recursive: true, force: true });
  }
}
