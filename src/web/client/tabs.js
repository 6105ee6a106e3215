// What the tabs of one browser tell each other of the cookie that they share: who has signed in by
// it, and who has signed out.
//
// Promises: only pages of the hub's own origin hear it; no credential is told; without such a
// channel (Node, old browsers) nothing happens.
// @ts-check

/** @typedef {{ type: "signed-in" | "signed-out", person: string }} TabNews */

const NAME = "talk-hub:session";

export class Tabs {
  /** @param {(news: TabNews) => void} onNews */
  constructor(onNews) {
    this.onNews = onNews;
    /** @type {BroadcastChannel | null} */
    this.channel = null;
  }

  /** Listens from here on. */
  begin() {
    if (this.channel || !globalThis.window || typeof BroadcastChannel !== "function") return;
    this.channel = new BroadcastChannel(NAME);
    this.channel.onmessage = ({ data }) => {
      if (typeof data?.type === "string" && typeof data.person === "string") this.onNews(data);
    };
  }

  /** @param {TabNews} news */
  tell(news) {
    this.channel?.postMessage(news);
  }

  end() {
    this.channel?.close();
    this.channel = null;
  }
}
