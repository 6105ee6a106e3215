// A hub of one chat that lives in memory, as far as the model can tell the difference: events with
// numbers, answers that were read at some moment, events that show a message as it is by now.

const MEMBERS = ["me", "ada", "bo"];
const EMOJI = ["+1", "eyes", "tada"];

export class World {
  /** @param {ReturnType<typeof import("../kit/eventually.mjs").luck>} luck */
  constructor(luck) {
    this.luck = luck;
    this.clock = 0;
    this.history = 0;
    this.made = 0;
    /** @type {any[]} */
    this.events = [];
    /** What the chat was after each event, the newest last. @type {any[]} */
    this.states = [];
    const at = this.#at();
    const members = MEMBERS.map((owner) => this.#member(owner, at));
    const chat = { id: "chat", customer_id: "c", type: "group", name: "", detail: "", tm_create: at, tm_update: at, tm_delete: "" };
    this.#append("chat_created", { chat, members, messages: [] }, (state) => state.chat);
  }

  #at() {
    this.clock += 1;
    return `2026-01-01 00:00:00.${String(this.clock).padStart(6, "0")}`;
  }

  #member(owner, at) {
    this.made += 1;
    return { id: `member-${this.made}`, customer_id: "c", owner_type: "agent", owner_id: owner, chat_id: "chat", tm_joined: at };
  }

  get seq() {
    return this.events.length;
  }

  get now() {
    return this.states.at(-1);
  }

  #append(type, state, about) {
    this.states.push(state);
    const seq = this.states.length;
    this.events.push({ type, chat_id: "chat", seq, cursor: this.cursor(seq), about: about(state).id, data: about(state) });
    return seq;
  }

  cursor(seq) {
    return `${this.history}/${seq}`;
  }

  /** The chat as REST tells of it. */
  chat(state = this.now, seq = this.seq) {
    return { ...state.chat, member_count: state.members.length, seq, cursor: this.cursor(seq) };
  }

  /** The event as it goes out now: of a message, as the message is by now. */
  frame(seq) {
    const event = this.events[seq - 1];
    const late = event.type.startsWith("chatmessage") && this.luck.below(2) === 0;
    const data = late ? this.now.messages.find((one) => one.id === event.about) : event.data;
    const chat = event.type.startsWith("chat_");
    return { ...event, data: chat ? { ...event.data, member_count: this.luck.below(9), seq } : data };
  }

  /** Somebody does something. */
  happen() {
    const { luck } = this;
    const { messages } = this.now;
    const kind = luck.below(10);
    if (kind < 5 || messages.length === 0) return void this.post(luck.one(MEMBERS), `text ${this.clock}`, this.#parent());
    if (kind < 7) return this.#react(luck.one(messages));
    if (kind === 7) return this.#remove(luck.one(messages));
    if (kind === 8) return this.#comeOrGo();
    const at = this.#at();
    const chat = { ...this.now.chat, name: `name ${this.clock}`, tm_update: at };
    this.#append("chat_updated", { ...this.now, chat }, (state) => state.chat);
  }

  #parent() {
    const { messages } = this.now;
    return messages.length > 0 && this.luck.below(2) === 0 ? this.luck.one(messages).id : undefined;
  }

  /** @returns the message as the answer tells of it */
  post(owner, text, parent) {
    const at = this.#at();
    this.made += 1;
    const message = {
      id: `message-${this.made}`,
      customer_id: "c",
      owner_type: "agent",
      owner_id: owner,
      chat_id: "chat",
      ...(parent ? { parent_id: parent } : {}),
      type: "normal",
      text,
      medias: [],
      metadata: { reactions: [] },
      tm_create: at,
      tm_update: at,
      tm_delete: "",
      seq: this.seq + 1,
    };
    const counted = this.now.messages.map((one) => (one.id === parent ? { ...one, reply_count: (one.reply_count ?? 0) + 1 } : one));
    this.#append("chatmessage_created", { ...this.now, messages: [...counted, message] }, () => message);
    return message;
  }

  #change(type, message, change) {
    const changed = { ...message, ...change, tm_update: this.#at() };
    const messages = this.now.messages.map((one) => (one.id === message.id ? changed : one));
    this.#append(type, { ...this.now, messages }, () => changed);
  }

  #react(message) {
    if (message.tm_delete !== "") return;
    const owner = this.luck.one(MEMBERS);
    const emoji = this.luck.one(EMOJI);
    const others = message.metadata.reactions.filter((one) => one.emoji !== emoji || one.owner_id !== owner);
    const fresh = others.length === message.metadata.reactions.length;
    const added = { emoji, owner_type: "agent", owner_id: owner, tm_create: `at ${this.clock}` };
    this.#change("chatmessage_reaction_updated", message, { metadata: { reactions: fresh ? [...others, added] : others } });
  }

  #remove(message) {
    if (message.tm_delete !== "") return;
    const empty = { text: "", medias: [], metadata: { reactions: [] }, tm_delete: `at ${this.clock}` };
    this.#change("chatmessage_deleted", message, empty);
  }

  #comeOrGo() {
    const owner = this.luck.one(["ada", "bo"]);
    const there = this.now.members.find((one) => one.owner_id === owner);
    const others = this.now.members.filter((one) => one !== there);
    if (there) return void this.#append("chatparticipant_removed", { ...this.now, members: others }, () => there);
    const member = this.#member(owner, this.#at());
    this.#append("chatparticipant_added", { ...this.now, members: [...others, member] }, () => member);
  }

  /** The newest events are lost, as in a failover. @param {number} count */
  rewrite(count) {
    const kept = Math.max(1, this.seq - count);
    this.events.length = this.states.length = kept;
    this.history += 1;
    this.events = this.events.map((event) => ({ ...event, cursor: this.cursor(event.seq) }));
  }
}
