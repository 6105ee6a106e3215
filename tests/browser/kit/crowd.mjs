// People who talk: post, reply, react, delete, join, leave, rename, as fast as they are let.

import { Talk, TalkError } from "../../../src/web/client/index.js";

const EMOJI = ["👍", "👀", "🎉"];

export class Crowd {
  /**
   * @param {string} url
   * @param {Array<{ id: string, token: string }>} people
   * @param {string[]} chats public ones, in which they all may be
   * @param {ReturnType<typeof import("./eventually.mjs").luck>} luck
   */
  constructor(url, people, chats, luck) {
    this.people = people.map(({ id, token }) => ({ id, calls: Talk.withToken(token, { url }).calls }));
    this.chats = chats;
    this.luck = luck;
    this.done = 0;
    this.running = true;
    /** @type {Array<{ id: string, chat: string, owner: string }>} */
    this.posted = [];
  }

  /** They talk until `stop`. */
  start() {
    this.loops = this.people.map((person) => this.#talk(person));
  }

  async stop() {
    this.running = false;
    await Promise.all(this.loops);
  }

  async #talk(person) {
    while (this.running) await this.act(person);
  }

  /** One thing that one of them does; what the hub refuses or cannot do now is nothing. */
  async act(person = this.luck.one(this.people)) {
    try {
      await this.#do(person);
      this.done += 1;
    } catch (error) {
      if (!(error instanceof TalkError)) throw error;
      // Not while the hub is away: then there is nothing to be done.
      if (error.temporary) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #do({ id, calls }) {
    const { luck } = this;
    const chat = luck.one(this.chats);
    const known = this.posted.filter((one) => one.chat === chat);
    const kind = luck.below(20);
    if (kind < 9 || known.length === 0) {
      const parent_id = luck.below(3) === 0 && known.length > 0 ? luck.one(known).id : undefined;
      const made = await calls.createMessage({ chat_id: chat, text: `message ${this.done}`, parent_id });
      this.posted = [...this.posted.slice(-200), { id: made.id, chat, owner: id }];
    } else if (kind < 14) {
      const { id: message } = luck.one(known);
      const emoji = luck.one(EMOJI);
      await (luck.below(2) === 0 ? calls.addReaction(message, emoji) : calls.removeReaction(message, emoji));
    } else if (kind < 16) {
      const mine = known.filter((one) => one.owner === id);
      if (mine.length > 0) await calls.deleteMessage(luck.one(mine).id);
    } else if (kind < 18) {
      const mine = (await calls.listParticipants(chat)).find((member) => member.owner_id === id);
      if (mine) await calls.removeParticipant(chat, mine.id);
    } else if (kind < 19) await calls.joinChat(chat);
    else await calls.updateChat(chat, { name: `name ${this.done}` });
    if (luck.below(2) === 0) await calls.joinChat(chat);
  }
}
