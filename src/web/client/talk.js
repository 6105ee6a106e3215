// One person's connection to one hub: puts the parts together, signs in and out.
// @ts-check

import { calls } from "./calls.js";
import { TalkError, closed } from "./error.js";
import { Fetching } from "./fetching.js";
import { Following } from "./following.js";
import { Http } from "./http.js";
import { Live } from "./live.js";
import { settled } from "./options.js";
import { Alarm } from "./pace.js";
import { Sending } from "./sending.js";
import { Session } from "./session.js";
import { Shelf } from "./shelf.js";
import { Store } from "./store.js";

/** @import { Aborting, Agent, Options } from "./index.js" */

/** Milliseconds without a frame after which colleagues are read anew at once. */
const LONG_GAP_MS = 60_000;
/** Milliseconds between two readings of all colleagues for the sake of shorter gaps. */
const COLLEAGUES_MS = 180_000;

export class Talk {
  #http;
  #session;
  #shelf;
  #store;
  #live;
  /** When all colleagues were read last, in milliseconds since 1970. */
  #colleaguesAt = 0;
  #colleaguesSoon = new Alarm(() => this.#readColleagues().catch(() => {}), false);

  /** @param {Options} [options] */
  constructor(options) {
    const all = settled(options);
    this.#http = new Http(all);
    this.#session = new Session(all, this.#http, (reason) => this.#end(reason));
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
      onLive: (gapMs) => {
        fetching.again();
        this.#afterGap(gapMs);
      },
    });
  }

  /** @param {string} token @param {Options} [options] */
  static withToken(token, options) {
    const talk = new Talk(options);
    talk.#session.take(token);
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
    this.#session.take(token, true, true);
    this.#session.signedIn();
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
      this.#session.take(token, true, true);
    } catch (error) {
      if (error instanceof TalkError && (error.http === 401 || error.http === 403)) return null;
      throw error;
    }
    return this.start(how);
  }

  /** @param {Aborting} [how] @returns {Promise<Agent>} */
  async start(how = {}) {
    if (this.#http.closed) throw closed();
    if (!(await this.#session.begin())) {
      throw new TalkError({ status: "UNAUTHENTICATED", reason: "AUTHENTICATION_REQUIRED", message: "there is no credential" });
    }
    const me = await this.calls.getMe(how);
    this.#shelf.begin(me);
    await Promise.all([this.#store.load(how), this.#readColleagues()]);
    if (this.#shelf.me?.id !== me.id || this.#http.closed) throw closed();
    this.#live.connect();
    this.#store.preload().catch(() => {});
    return me;
  }

  async signOut() {
    const { foreign } = this.#session;
    // First, so that no renewal brings the cookie back.
    this.#session.signOut();
    this.#live.signedOut("signed out");
    const logout = () => this.calls.logout({ signal: AbortSignal.timeout(5_000) });
    // A cookie of another person's is left to them.
    const done = foreign || (await logout().then(() => true, () => false));
    this.#end("signed out");
    return done;
  }

  close() {
    this.#live.disconnect();
    this.#session.close();
    this.#http.close();
    this.#colleaguesSoon.clear();
    this.#shelf.marks?.end();
  }

  async #readColleagues() {
    this.#colleaguesSoon.clear();
    const began = Date.now();
    await this.#store.colleagues();
    this.#colleaguesAt = began;
  }

  /** What became of colleagues while there was no link was not told; it is read, but not at every blink. @param {number} gapMs */
  #afterGap(gapMs) {
    const due = gapMs >= LONG_GAP_MS ? 0 : this.#colleaguesAt + COLLEAGUES_MS - Date.now();
    if (due > 0) this.#colleaguesSoon.set(Math.min(due, COLLEAGUES_MS));
    else this.#readColleagues().catch(() => {});
  }

  /** @param {string} reason */
  #end(reason) {
    this.#colleaguesSoon.clear();
    this.#live.signedOut(reason);
    this.#session.end();
    this.#http.end();
    this.#shelf.clear();
  }
}
