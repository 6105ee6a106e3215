// One person's connection to one hub: puts the parts together, signs in and out.
// @ts-check

import { calls } from "./calls.js";
import { TalkError, closed } from "./error.js";
import { Fetching } from "./fetching.js";
import { Following } from "./following.js";
import { Http } from "./http.js";
import { Live } from "./live.js";
import { settled } from "./options.js";
import { Sending } from "./sending.js";
import { Session } from "./session.js";
import { Shelf } from "./shelf.js";
import { Store } from "./store.js";

/** @import { Aborting, Agent, Options } from "./index.js" */

export class Talk {
  #http;
  #session;
  #shelf;
  #store;
  #live;

  /** @param {Options} [options] */
  constructor(options) {
    const all = settled(options);
    this.#http = new Http(all);
    this.#session = new Session(all, this.#http, () => this.#end("credential"));
    this.#http.session = this.#session;
    this.calls = calls(this.#http, all);
    this.#shelf = new Shelf(all);
    const fetching = new Fetching(this.#shelf, this.calls, this.#http);
    const following = new Following(this.#shelf, fetching);
    this.#store = new Store(this.#shelf, this.calls, fetching, new Sending(this.#shelf, this.calls));
    this.#live = new Live(all, {
      http: this.#http,
      calls: this.calls,
      session: this.#session,
      following,
      me: () => this.me?.id ?? "",
      onLive: () => {
        fetching.again();
        this.#store.colleagues().catch(() => {});
      },
    });
  }

  /** @param {string} token @param {Options} [options] */
  static withToken(token, options) {
    const talk = new Talk(options);
    talk.#session.take(token, false);
    return talk;
  }

  get live() {
    return this.#live;
  }

  get store() {
    return this.#store;
  }

  get me() {
    return this.#shelf.me;
  }

  /** @param {string} username @param {string} password @param {Aborting} [how] @returns {Promise<Agent>} */
  async signIn(username, password, how = {}) {
    const { token } = await this.calls.login({ username, password }, how);
    this.#session.end();
    this.#session.take(token, true);
    return this.start(how);
  }

  /** @param {Aborting} [how] @returns {Promise<Agent | null>} */
  async resume(how = {}) {
    try {
      // Answered from the cookie; the token that comes back goes with the calls from then on.
      const { token } = await this.#http.json({
        method: "POST",
        path: "/auth/renew",
        signal: how.signal,
        anonymous: true,
        repeatable: true,
      });
      this.#session.take(token, true);
    } catch (error) {
      if (error instanceof TalkError && (error.http === 401 || error.http === 403)) return null;
      throw error;
    }
    return this.start(how);
  }

  /** @param {Aborting} [how] @returns {Promise<Agent>} */
  async start(how = {}) {
    if (!(await this.#session.begin())) {
      throw new TalkError({ status: "UNAUTHENTICATED", reason: "AUTHENTICATION_REQUIRED", message: "there is no credential" });
    }
    const me = await this.calls.getMe(how);
    this.#shelf.begin(me);
    await Promise.all([this.#store.load(how), this.#store.colleagues()]);
    if (this.#shelf.me?.id !== me.id) throw closed();
    this.#live.connect();
    this.#store.preload().catch(() => {});
    return me;
  }

  async signOut() {
    const leaving = this.calls.logout({ signal: AbortSignal.timeout(5_000) }).catch(() => {});
    this.#live.signedOut("signed out");
    await leaving;
    this.#end("signed out");
  }

  close() {
    this.#live.disconnect();
    this.#session.end();
    this.#http.end();
    this.#shelf.marks?.end();
  }

  /** @param {string} reason */
  #end(reason) {
    this.#live.signedOut(reason);
    this.#session.end();
    this.#http.end();
    this.#shelf.clear();
  }
}
