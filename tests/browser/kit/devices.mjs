// Where the client library runs: in Node, and in Chromium on a page of the hub, under its policy. The same tests drive both.
//
// `run` takes a function that sees nothing but its arguments: (talk, argument, library).

import { browser, newPage } from "./chromium.mjs";
import { shown } from "./truth.mjs";

/** A page of the hub with nothing on it that runs. */
const PAGE = "/client/types-wire.d.ts";

class NodeDevice {
  name = "node";

  async start() {
    this.library = await import("../../../src/web/client/index.js");
  }

  /** @param {string} _url @param {object} options */
  async client(_url, options) {
    const { library } = this;
    const { token, ...rest } = options;
    const talk = token ? library.Talk.withToken(token, rest) : new library.Talk(rest);
    return {
      talk,
      complaints: [],
      run: async (task, argument) => task(talk, argument, library),
      shown: async () => shown(talk),
      close: async () => talk.close(),
    };
  }

  async stop() {}
}

class ChromiumDevice {
  name = "chromium";

  async start() {
    this.browser = await browser();
  }

  /** @param {string} url whose page it is @param {object} options */
  async client(url, options) {
    const context = await this.browser.newContext();
    const page = await newPage(context);
    const begin = async () => {
      await page.goto(url + PAGE);
      await page.evaluate(async ({ token, ...rest }) => {
        const library = await import("/client/index.js");
        const talk = token ? library.Talk.withToken(token, rest) : new library.Talk(rest);
        Object.assign(window, { library, talk });
      }, options);
    };
    await begin();
    return {
      page,
      complaints: page.complaints,
      reload: begin,
      run: (task, argument) =>
        page.evaluate(
          ([code, given]) => new Function(`return (${code})`)()(window.talk, given, window.library),
          [task.toString(), argument],
        ),
      shown: () => page.evaluate(shownInPage),
      close: () => context.close(),
    };
  }

  async stop() {
    await this.browser.close();
  }
}

/** The same as `shown` of truth.mjs, which a page cannot import. */
function shownInPage() {
  const chats = {};
  for (const view of window.talk.store.chats.values()) {
    const keys = view.rows.map((row) => row.key);
    if (new Set(keys).size !== keys.length) throw new Error("a row is shown twice");
    chats[view.id] = {
      chat: view.chat,
      members: view.members && [...view.members.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
      messages: view.rows.map((row) => row.message),
      state: { ready: view.ready, fetching: view.fetching, error: view.error && String(view.error), reachesBeginning: view.reachesBeginning },
    };
  }
  return chats;
}

/** The devices that tests run on; TALK_TEST_DEVICES names fewer. */
export const DEVICES = [new NodeDevice(), new ChromiumDevice()].filter(({ name }) =>
  (process.env.TALK_TEST_DEVICES ?? "node,chromium").split(",").includes(name),
);
