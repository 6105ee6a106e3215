// What a person at the console does and sees, in the words of a person; everything goes through the
// page: fields, buttons, keys. Promises that a page that complained (an error or a warning in its
// console, something uncaught, a breach of the policy, a call to another host, a script that a
// person wrote) fails the test that used it.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { browser } from "../kit/chromium.mjs";
import { Hub } from "../kit/hub.mjs";
import { people } from "../kit/people.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Where pictures are kept: of the console as it should be, and of what failed. */
export const ARTEFACTS = process.env.TALK_TEST_ARTEFACTS ?? path.join(ROOT, "target/browser");
/** How long anything may take on a busy machine. */
const PATIENCE_MS = 20_000;

/** What the browser itself says when a connection is cut: expected where a test cuts. */
export const CUT = /net::ERR_|WebSocket connection to .* failed|status of 503/;

/** One person at one browser. */
export class Desk {
  /** @type {RegExp[]} */ forgiven = [];
  /** @type {string[]} */ complaints = [];

  /**
   * @param {import("playwright-core").BrowserContext} context
   * @param {string} url
   */
  constructor(context, url) {
    this.context = context;
    this.url = url;
    context.setDefaultTimeout(PATIENCE_MS);
    context.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (["http:", "https:", "ws:", "wss:"].includes(protocol) && host !== new URL(url).host) this.complaints.push(`a call to ${host}`);
    });
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complaints.push(`${message.text()} ${message.location().url}`);
    });
    context.on("weberror", (error) => this.complaints.push(String(error.error())));
  }

  /**
   * @param {import("playwright-core").Browser} where
   * @param {string} url
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  static async sit(where, url, options = {}) {
    const context = await where.newContext({ locale: "en-GB", timezoneId: "Europe/Berlin", viewport: { width: 1280, height: 800 }, acceptDownloads: true, ...options });
    const desk = new Desk(context, url);
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    desk.page = await context.newPage();
    await desk.page.goto(url);
    return desk;
  }

  /** What was complained of and is not expected. */
  get unforgiven() {
    return this.complaints.filter((one) => !this.forgiven.some((known) => known.test(one)));
  }

  /** @param {...RegExp} known */
  forgives(...known) {
    this.forgiven.push(...known);
  }

  /** @param {{ username: string, password: string }} person */
  async signIn({ username, password }) {
    await this.page.getByLabel("E-mail").fill(username);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await this.page.locator(".frame").waitFor();
  }

  /** Another tab of the same browser. */
  async tab() {
    const other = Object.create(this);
    other.page = await this.context.newPage();
    await other.page.goto(this.url);
    await other.page.locator(".frame").waitFor();
    return other;
  }

  get list() { return this.page.getByRole("list", { name: "Chats" }); }
  get chat() { return this.page.getByRole("main"); }
  get panel() { return this.page.locator("aside.panel"); }
  get composer() { return this.page.getByRole("textbox", { name: "Message" }); }
  get dialog() { return this.page.getByRole("dialog"); }
  get banner() { return this.page.getByRole("group", { name: "Connection" }); }
  get unreadLine() { return this.chat.locator(".unread-line"); }

  /** A chat in the list. @param {string} name */
  row(name) {
    return this.list.locator("a").filter({ has: this.page.locator(".chat-name").getByText(name, { exact: true }) });
  }

  /** @param {string} name */
  async open(name) {
    await this.row(name).click();
    await this.chat.getByRole("heading", { level: 1 }).getByText(name, { exact: true }).waitFor();
    await this.chat.locator(".scroller:not([aria-busy])").waitFor();
  }

  /** A message in the open chat. @param {string} text */
  message(text, where = this.chat) {
    return where.locator("article.message, article.system, article.reply-line").filter({ hasText: text });
  }

  /** A message is there, once, and was taken by the hub. @param {string} text */
  async sees(text, where = this.chat) {
    const found = this.message(text, where);
    await found.first().waitFor();
    await where.locator("article.sending").filter({ hasText: text }).waitFor({ state: "detached" });
    assert.equal(await found.count(), 1, `"${text}" stands there once`);
    return found;
  }

  /** @param {string} text */
  async misses(text, where = this.chat) {
    await this.message(text, where).waitFor({ state: "detached" });
  }

  /** @param {string} text */
  async say(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  /** @param {string} text */
  async reply(text) {
    const field = this.panel.getByRole("textbox", { name: "Reply" });
    await field.fill(text);
    await field.press("Enter");
  }

  /** One of the buttons that a message shows. @param {string} text @param {string | RegExp} button */
  async press(text, button, where = this.chat) {
    const message = this.message(text, where).first();
    await message.hover();
    await message.getByRole("button", { name: button }).first().click();
  }

  /** @param {string} text @param {string} emoji as it is called */
  async react(text, emoji) {
    await this.press(text, "Add a reaction");
    await this.page.getByRole("searchbox", { name: "Search emoji" }).fill(emoji);
    await this.page.keyboard.press("Enter");
  }

  /** Picks from a menu, by the name of the button that opens it. @param {string | RegExp} item @param {string | RegExp} [opener] */
  async menu(item, opener = "Chat menu") {
    await this.page.getByRole("button", { name: opener, exact: true }).click();
    await this.page.getByRole("menuitem", { name: item }).or(this.page.getByRole("menuitemradio", { name: item })).click();
  }

  /** @param {string} label */
  async confirm(label) {
    await this.dialog.getByRole("button", { name: label, exact: true }).click();
    await this.dialog.waitFor({ state: "detached" });
  }

  async members() {
    await this.page.getByRole("button", { name: /^\d+ members?$/ }).click();
    await this.panel.getByRole("heading", { name: /members?$/ }).waitFor();
  }

  /**
   * Reads the open chat from its beginning to its end, as one who scrolls: the texts in their order.
   * @returns {Promise<string[]>}
   */
  async readsAll() {
    return this.chat.locator(".scroller").evaluate(async (scroller) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      while (!scroller.querySelector(".about-chat")) {
        scroller.scrollTop = 0;
        await frame();
      }
      /** @type {Map<string, string>} */
      const seen = new Map();
      for (let top = 0; ; top = scroller.scrollTop + scroller.clientHeight / 2) {
        scroller.scrollTop = top;
        await frame();
        for (const row of scroller.querySelectorAll("[data-row]")) {
          seen.set(row.getAttribute("data-row"), row.querySelector(".text, .tombstone, .gist")?.textContent ?? row.firstElementChild?.textContent ?? "");
        }
        if (scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 2) return [...seen.values()];
      }
    });
  }

  /** How much wider than its window the page is. */
  async overflow() {
    return this.page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth);
  }
}

/** What the tests of a file share: a browser, a hub and a customer's people. */
export class Stage {
  /** @type {Desk[]} */ desks = [];

  /**
   * @param {{ names?: string[], hub?: () => Promise<{ url: string, stop: () => Promise<void> }> }} [how]
   */
  constructor({ names = ["Ada Lovelace", "Ben Okri", "Chen Wei"], hub = () => Hub.start() } = {}) {
    before(async () => {
      [this.browser, this.hub] = await Promise.all([browser(), hub()]);
      this.people = await people(this.hub, ...names);
    });
    after(async () => {
      await this.browser?.close();
      await this.hub?.stop();
    });
  }

  /** @param {import("playwright-core").BrowserContextOptions & { url?: string }} [options] */
  async desk({ url = this.hub.url, ...options } = {}) {
    const desk = await Desk.sit(this.browser, url, options);
    this.desks.push(desk);
    return desk;
  }

  /** Somebody who has signed in. @param {object} person @param {import("playwright-core").BrowserContextOptions & { url?: string }} [options] */
  async seat(person, options) {
    const desk = await this.desk(options);
    await desk.signIn(person);
    return desk;
  }

  /** A test whose desks are cleared afterwards, and must not have complained. @param {string} promise @param {() => Promise<void>} act */
  scene(promise, act) {
    test(promise, async () => {
      this.desks = [];
      try {
        await act();
        for (const { unforgiven } of this.desks) assert.deepEqual(unforgiven, [], "the page complained");
      } catch (error) {
        await this.#keep(promise);
        throw error;
      } finally {
        await Promise.all(this.desks.map(({ context }) => context.close()));
      }
    });
  }

  /** Pictures of what went wrong. @param {string} promise */
  async #keep(promise) {
    const dir = path.join(ARTEFACTS, "failed");
    await mkdir(dir, { recursive: true });
    const name = promise.replace(/\W+/g, "-").slice(0, 60);
    for (const [place, { context, complaints }] of this.desks.entries()) {
      if (complaints.length > 0) console.error(`desk ${place + 1} heard:`, complaints);
      for (const [tab, page] of context.pages().entries()) {
        await page.screenshot({ path: path.join(dir, `${name}-${place + 1}-${tab + 1}.png`), timeout: 5_000 }).catch(() => {});
      }
    }
  }
}
