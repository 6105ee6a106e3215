// Load for people who live in k6: sockets of a few agents follow one chat while others send over REST.
//
//   talk-hub --demo
//   k6 run load/k6/talk.js
//
// Knobs, by -e NAME=value:
//   BASE      where the hub is; http://127.0.0.1:8080
//   TOKENS    tokens of agents of one customer, by comma. Without: USERS sign in
//   USERS     user:password by comma; the three of --demo
//   CHAT      id of a chat that all of them are members of. Without: one is made
//   SOCKETS   sockets of each agent; 5
//   RATE      messages a second, of all agents together, begun on time whether or not others are answered; 60.
//             A hub allows each agent 50 calls a second unless limits.agent_per_second says otherwise
//   SECONDS   how long is sent; 20
//   TEXT      bytes of a message's text; 120
//
// What fails a run: an event out of order, twice, of a wrong chat, or missing in the end; a socket that ends; a send that
// is not answered with 200 or not begun; and p99 above what `thresholds` says. `talk_delivery` is from the begin of the
// send until a socket has the event, in whole milliseconds. k6 uses far more CPU for each event than the hub does: on one
// machine it measures itself first. For figures use talk-load; use this where k6 is what you have.
//
// Run with k6 1.1 against a hub with --demo on loopback, signing in and with TOKENS.

import http from "k6/http";
import exec from "k6/execution";
import { check, fail } from "k6";
import { Counter, Trend } from "k6/metrics";

// Its name since it is no experiment any more, and the one before.
function sockets() {
  try {
    return require("k6/websockets");
  } catch {
    return require("k6/experimental/websockets");
  }
}
const { WebSocket } = sockets();

const BASE = __ENV.BASE || "http://127.0.0.1:8080";
const API = `${BASE}/v1.0/service_agents`;
const USERS = __ENV.USERS || "alice@demo.test:demo,bob@demo.test:demo,carol@demo.test:demo";
const SOCKETS = Number(__ENV.SOCKETS || 5);
const RATE = Number(__ENV.RATE || 60);
const SECONDS = Number(__ENV.SECONDS || 20);
const TEXT = Number(__ENV.TEXT || 120);
const AGENTS = (__ENV.TOKENS || USERS).split(",").length;

// Sockets are up before the first message, and stay until the last has surely come.
const BEFORE = 3;
const AFTER = 4;
const SUBSCRIBE_WITHIN = 10;

const delivery = new Trend("talk_delivery", true);
const delivered = new Counter("talk_delivered");
const outOfOrder = new Counter("talk_out_of_order");
const missing = new Counter("talk_missing");
const ended = new Counter("talk_socket_ended");

export const options = {
  scenarios: {
    sockets: {
      executor: "per-vu-iterations",
      exec: "follow",
      vus: AGENTS * SOCKETS,
      iterations: 1,
      maxDuration: `${BEFORE + SECONDS + AFTER + SUBSCRIBE_WITHIN}s`,
    },
    senders: {
      executor: "constant-arrival-rate",
      exec: "send",
      startTime: `${BEFORE}s`,
      duration: `${SECONDS}s`,
      rate: RATE,
      timeUnit: "1s",
      preAllocatedVUs: Math.max(10, RATE),
    },
  },
  thresholds: {
    talk_out_of_order: ["count==0"],
    talk_missing: ["count==0"],
    talk_socket_ended: ["count==0"],
    talk_delivered: ["count>0"],
    talk_delivery: ["p(99)<250"],
    checks: ["rate==1"],
    dropped_iterations: ["count==0"],
    "http_req_duration{name:send}": ["p(99)<250"],
  },
  summaryTrendStats: ["min", "med", "p(90)", "p(99)", "p(99.9)", "max"],
};

function headers(token, more) {
  return { headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, ...more };
}

function answer(response, doing) {
  if (response.status !== 200) fail(`${doing}: ${response.status} ${response.body}`);
  return response.json();
}

function signIn(user) {
  const at = user.indexOf(":");
  const body = JSON.stringify({ username: user.slice(0, at), password: user.slice(at + 1) });
  const response = http.post(`${BASE}/auth/login`, body, { headers: { "Content-Type": "application/json" } });
  return answer(response, `signing ${user.slice(0, at)} in`).token;
}

export function setup() {
  const tokens = __ENV.TOKENS ? __ENV.TOKENS.split(",") : USERS.split(",").map(signIn);
  const agents = tokens.map((token) => ({ token, id: answer(http.get(`${API}/me`, headers(token)), "who is it").id }));
  if (__ENV.CHAT) return { agents, chat: __ENV.CHAT };
  const participants = agents.slice(1).map(({ id }) => ({ owner_type: "agent", owner_id: id }));
  const body = JSON.stringify({ type: "group", name: "k6", participants });
  return { agents, chat: answer(http.post(`${API}/talk_chats`, body, headers(agents[0].token)), "making a chat").id };
}

// One message. Begun when it is due; its text begins with that moment.
export function send({ agents, chat }) {
  const { token } = agents[exec.scenario.iterationInTest % agents.length];
  const text = `${Date.now()} `.padEnd(TEXT, "x");
  const body = JSON.stringify({ chat_id: chat, type: "normal", text });
  const response = http.post(`${API}/talk_messages`, body, headers(token, { tags: { name: "send" } }));
  check(response, { "a message is acknowledged": ({ status }) => status === 200 });
}

function chatNow(agent, chat) {
  return answer(http.get(`${API}/talk_chats/${chat}`, headers(agent.token, { tags: { name: "chat" } })), "the chat");
}

// One socket: it begins at the cursor that REST gives, and must then see every number, one after the other.
export function follow({ agents, chat }) {
  const agent = agents[(exec.vu.idInTest - 1) % agents.length];
  const { seq, cursor } = chatNow(agent, chat);
  let last = seq;
  let closing = false;
  const socket = new WebSocket(`${BASE.replace(/^http/, "ws")}/v1.0/ws?token=${agent.token}`, null, {
    tags: { name: "socket" },
  });

  socket.onopen = () => {
    const topics = [`agent_id:${agent.id}:chat:${chat}`];
    socket.send(JSON.stringify({ type: "subscribe", id: "1", topics, since: { [chat]: cursor } }));
    setTimeout(() => {
      closing = true;
      // Everything was answered seconds ago: what is not here by now is missing.
      missing.add(Math.max(0, chatNow(agent, chat).seq - last));
      socket.close();
    }, (BEFORE + SECONDS + AFTER) * 1000);
  };

  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === "subscribed") {
      const told = frame.chats && frame.chats[chat];
      check(told, { "the subscription goes on from the cursor": (it) => it && it.recovered });
    } else if (frame.type === "error") {
      fail(`the hub says: ${data}`);
    } else if (frame.type === "resync" || frame.chat_id !== chat || frame.seq !== last + 1) {
      outOfOrder.add(1, { what: `${frame.type} ${frame.seq} after ${last}` });
      last = frame.seq || last;
    } else {
      last = frame.seq;
      if (frame.type === "chatmessage_created") {
        delivered.add(1);
        const sent = parseInt(frame.data.text, 10);
        if (sent > 0) delivery.add(Date.now() - sent);
      }
    }
  };

  socket.onclose = () => {
    if (!closing) ended.add(1);
  };
  socket.onerror = (error) => {
    if (!closing) fail(`socket: ${error.error}`);
  };
}
