// A TCP proxy that does what networks do: cuts connections, stalls them without a word, loses
// what it should pass on, refuses to connect.

import { connect, createServer } from "node:net";

export class Proxy {
  /** @param {string} target the address of a hub */
  static async to(target) {
    const proxy = new Proxy();
    proxy.to = new URL(target);
    proxy.pairs = new Set();
    /** "through", "stalled" (nothing passes, nothing ends) or "refused". */
    proxy.mode = "through";
    /** Called with the request line in front of each piece from the hub; `false` loses it and cuts. */
    proxy.onAnswer = null;
    proxy.server = createServer((client) => proxy.#pass(client));
    await new Promise((resolve) => proxy.server.listen(0, "127.0.0.1", () => resolve(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (proxy.server.address());
    proxy.url = `http://127.0.0.1:${port}`;
    return proxy;
  }

  /** @param {import("node:net").Socket} client */
  #pass(client) {
    if (this.mode === "refused") return void client.destroy();
    const hub = connect(Number(this.to.port), this.to.hostname);
    const pair = { client, hub, stalled: this.mode === "stalled", asked: "" };
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      client.destroy();
      hub.destroy();
    };
    for (const socket of [client, hub]) {
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
    client.on("data", (bytes) => {
      const line = /^[A-Z]+ [^ ]+(?= HTTP)/.exec(bytes.toString("latin1", 0, 300));
      if (line) pair.asked = line[0];
      if (!pair.stalled) hub.write(bytes);
    });
    hub.on("data", (bytes) => {
      if (pair.stalled) return;
      if (this.onAnswer && this.onAnswer(pair.asked) === false) end();
      else client.write(bytes);
    });
  }

  /** Cuts what is connected now. */
  cut() {
    for (const { client, hub } of this.pairs) {
      client.destroy();
      hub.destroy();
    }
  }

  /** What is connected now hears nothing any more, and is not told. */
  stall() {
    for (const pair of this.pairs) pair.stalled = true;
  }

  async stop() {
    this.cut();
    await new Promise((resolve) => this.server.close(() => resolve(undefined)));
  }
}
