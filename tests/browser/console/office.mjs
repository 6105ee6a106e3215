// A working day of a small team, as the console shows it: chats of every kind, threads, reactions, a
// picture, a file, a deleted message, people who came and left. For pictures and for looking at.

import { agent, call, owners } from "../kit/people.mjs";
import { chart } from "./drawings.mjs";

const wire = (/** @type {number} */ at) => new Date(at).toISOString().replace("T", " ").replace("Z", "000");

/** A zone in which it is the middle of the afternoon. */
export function afternoon() {
  const ahead = ((15 - new Date().getUTCHours() + 11 + 24) % 24) - 11;
  return `Etc/GMT${ahead > 0 ? "-" : "+"}${Math.abs(ahead)}`;
}

export class Office {
  /** Ids of messages in their order. @type {string[]} */ said = [];

  /** @param {{ url: string }} hub */
  static async open(hub) {
    const office = new Office();
    office.hub = hub;
    const { id } = await call(hub.url, "POST", "/v1.0/customers", { name: "Northwind Support" });
    office.all = [];
    for (const name of ["Maya Lindqvist", "Tomás Herrera", "Priya Raman", "Jonas Weber"]) office.all.push(await agent(hub, id, name));
    const details = ["Support lead, Malmö", "Second line", "Billing", "Night shift"];
    const statuses = ["available", "busy", "available", "away"];
    await Promise.all(office.all.map(async (person, place) => {
      await office.ask(person, "PUT", "me", { detail: details[place] });
      await office.ask(person, "PUT", "me/status", { status: statuses[place] });
    }));
    await office.#talk();
    return office;
  }

  get me() { return this.all[0]; }

  ask(person, method, path, body) {
    return call(this.hub.url, method, `/v1.0/service_agents/${path}`, body, person.token);
  }

  async say(person, chat, text, more = {}) {
    const made = await this.ask(person, "POST", "talk_messages", { chat_id: chat.id, type: "normal", text, ...more });
    this.said.push(made.id);
    return made;
  }

  /**
   * Spreads what was said over the hours before, on its way to the page: the hub takes no times.
   * @param {import("playwright-core").Page} page
   */
  async spread(page) {
    const begin = Date.now() - this.said.length * 7 * 60_000;
    await page.route("**/talk_messages?*", async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      for (const message of body.result ?? []) {
        const place = this.said.indexOf(message.id);
        // Never even steps: people answer at once, or later.
        if (place >= 0) message.tm_create = wire(begin + (place * 7 + (place * place * 5) % 6) * 60_000);
      }
      await route.fulfill({ response: answer, json: body });
    });
  }

  react(person, message, emoji) {
    return this.ask(person, "POST", `talk_messages/${message.id}/reactions`, { emoji });
  }

  async upload(person, name, type, bytes) {
    const form = new FormData();
    form.set("type", "talk");
    form.set("file", new File([bytes], name, { type }));
    const answer = await fetch(`${this.hub.url}/v1.0/service_agents/files`, { method: "POST", body: form, headers: { Authorization: `Bearer ${person.token}` } });
    if (!answer.ok) throw new Error(await answer.text());
    return { type: "file", file_id: (await answer.json()).id };
  }

  async #talk() {
    const [maya, tomas, priya, jonas] = this.all;
    const chat = (person, type, name, detail, others) => this.ask(person, "POST", "talk_chats", { type, name, detail, participants: owners(...others) });
    const lunch = await chat(jonas, "talk", "lunch", "Who, where, when", [maya, tomas, priya]);
    await this.say(jonas, lunch, "The soup place has dumplings today 🥟");
    const handover = await chat(priya, "group", "Night handover", "What the next shift has to know", [maya, jonas]);
    await this.say(jonas, handover, "Quiet night. Two callbacks left, both in the sheet.");
    await this.say(priya, handover, "Thanks, taking them at nine.");
    const rtl = await chat(maya, "direct", "", "", [priya]);
    await this.say(priya, rtl, "Do you have ten minutes for the refund policy?");
    await this.say(maya, rtl, "After the stand-up, yes.");
    this.rtl = rtl;
    const direct = await chat(tomas, "direct", "", "", [maya]);
    await this.say(tomas, direct, "I owe you a coffee for yesterday ☕");
    const incident = this.incident = await chat(maya, "talk", "incident-room", "Live incidents only. Everything else goes to #support", [tomas, priya]);
    await this.ask(jonas, "POST", `talk_chats/${incident.id}/join`, {});
    this.root = await this.say(tomas, incident, "Calls from the Madrid trunk drop after 32 seconds. Carrier says it is on our side.");
    await this.say(tomas, incident, "Status page: https://status.example.com/incidents/4127");
    const seen = await this.say(priya, incident, "Confirmed with three customers. All of them on SIP over TCP, none on UDP.");
    await this.react(maya, seen, "👀");
    await this.react(tomas, seen, "👀");
    await this.react(jonas, seen, "🙏");
    for (const [person, text] of [[maya, "32 seconds sounds like a missing ACK."], [tomas, "Yes. The new edge rewrites the Contact header."], [priya, "I can reproduce it from here."]]) {
      await this.say(person, incident, text, { parent_id: this.root.id });
    }
    const graph = await this.upload(tomas, "dropped-calls.png", "image/png", chart(720, 360));
    await this.say(tomas, incident, "Dropped calls per minute since the roll-out:", { medias: [graph] });
    const gone = await this.say(jonas, incident, "wrong window");
    await this.ask(jonas, "DELETE", `talk_messages/${gone.id}`);
    const trace = await this.upload(priya, "madrid-trunk.pcap", "application/vnd.tcpdump.pcap", Buffer.alloc(48_000, 7));
    await this.say(priya, incident, "Trace of one call, both legs.", { medias: [trace] });
    const fixed = await this.say(maya, incident, "Rolled back edge-7 and edge-8. Drops are at zero for five minutes now.");
    await this.react(tomas, fixed, "🎉");
    await this.react(priya, fixed, "🎉");
    await this.react(jonas, fixed, "❤️");
    await this.say(tomas, incident, "Thank you. I write the summary this afternoon and post it here.");
    // What is not read yet is elsewhere, and newer.
    this.support = await chat(priya, "talk", "support", "Questions of customers", [maya, tomas]);
    this.unread = { support: ["Has anybody seen the invoice export time out?", "Only for accounts with more than 10,000 rows."], direct: ["Can you look over the summary?"] };
    this.direct = direct;
  }

  /** What comes while somebody looks elsewhere. */
  async news() {
    const [, tomas, priya] = this.all;
    for (const text of this.unread.support) await this.say(priya, this.support, text);
    for (const text of this.unread.direct) await this.say(tomas, this.direct, text);
  }
}
