// Two hubs on one Redis, behind a balancer that knows which of them run: what stands in front of a
// real fleet, with a way to kill a node.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { Hub, Redis } from "../kit/hub.mjs";
import { Proxy } from "../kit/proxy.mjs";

export class Nodes {
  static async start() {
    const nodes = new Nodes();
    nodes.dir = await mkdtemp(path.join(tmpdir(), "talk-files-"));
    nodes.redis = await Redis.start();
    const settings = { "store.kind": "redis", "store.url": nodes.redis.url, "files.url": `file://${nodes.dir}`, "server.drain_secs": 1 };
    nodes.hubs = await Promise.all([Hub.start(settings), Hub.start(settings)]);
    nodes.proxies = [];
    nodes.turn = 0;
    nodes.url = (await nodes.door()).url;
    return nodes;
  }

  /** A way in that can be cut without cutting others. */
  async door() {
    const proxy = await Proxy.to(this.hubs[0].url);
    Object.defineProperty(proxy, "to", { get: () => this.#next() });
    this.proxies.push(proxy);
    return proxy;
  }

  #next() {
    const running = this.hubs.filter((hub) => hub.process.running);
    this.turn += 1;
    return new URL((running[this.turn % running.length] ?? this.hubs[0]).url);
  }

  async stop() {
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    await Promise.all(this.hubs.map((hub) => hub.stop()));
    await this.redis.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}
