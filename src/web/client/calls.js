// Every call of the hub, one function each, named as in /openapi.json.
// @ts-check

import { TalkError } from "./error.js";
import { randomId } from "./http.js";
import { download, upload } from "./transfer.js";

/** @import { Calls, How, PageOf } from "./index.js" */
/** @import { Call, Http } from "./http.js" */
/** @import { Settled } from "./options.js" */

const BASE = "/v1.0/service_agents";
/** Rows of a page at most, whatever is asked for; the hub's bound. */
const PAGE_MOST = 100;

/**
 * @param {Http} http
 * @param {Settled} options
 * @returns {Calls}
 */
export function calls(http, options) {
  const ask = (/** @type {Call} */ call) => http.json(call);
  const get = (/** @type {string} */ path, /** @type {How} */ how = {}) => ask({ method: "GET", path, signal: how.signal });
  const list = (/** @type {string} */ path, /** @type {PageOf & Record<string, any>} */ { signal, ...query } = {}) =>
    ask({ method: "GET", path, query, signal });
  const put = (/** @type {string} */ path, /** @type {unknown} */ body, /** @type {How} */ how = {}) =>
    ask({ method: "PUT", path, body, signal: how.signal });
  const remove = (/** @type {string} */ path, /** @type {How} */ how = {}) =>
    ask({ method: "DELETE", path, signal: how.signal });
  /** Made at most once: the hub knows a repeat by its key. */
  const make = (/** @type {string} */ path, /** @type {unknown} */ body, /** @type {How} */ how = {}) =>
    ask({ method: "POST", path, body, signal: how.signal, key: how.idempotencyKey ?? randomId("web-") });
  /** Made without a key: not tried again when it is unknown whether it was made. */
  const once = (/** @type {string} */ path, /** @type {unknown} */ body, /** @type {How} */ how = {}) =>
    ask({ method: "POST", path, body, signal: how.signal });
  const text = (/** @type {string} */ path, /** @type {How} */ how = {}) =>
    http.response({ method: "GET", path, signal: how.signal }, (response) => response.text()).then(({ body }) => body);
  const id = encodeURIComponent;

  return {
    address: (path) => http.url + path,

    login: (body, how = {}) =>
      ask({ method: "POST", path: "/auth/login", body, signal: how.signal, anonymous: true, repeatable: true }),
    renew: (how = {}) => ask({ method: "POST", path: "/auth/renew", signal: how.signal, repeatable: true }),
    logout: (how = {}) =>
      ask({ method: "POST", path: "/auth/logout", signal: how.signal, anonymous: true, repeatable: true }),

    getMe: (how) => get(`${BASE}/me`, how),
    updateMe: (body, how) => put(`${BASE}/me`, body, how),
    updateMyStatus: (status, how) => put(`${BASE}/me/status`, { status }, how),
    updateMyPassword: (password, how) => put(`${BASE}/me/password`, { password }, how),
    ownCustomer: (how) => get(`${BASE}/customer`, how),
    listColleagues: (page) => list(`${BASE}/agents`, page),
    getColleague: (agent, how) => get(`${BASE}/agents/${id(agent)}`, how),

    listChats: (page) => list(`${BASE}/talk_chats`, page),
    createChat: (body, how) => make(`${BASE}/talk_chats`, body, how),
    listChannels: (page) => list(`${BASE}/talk_channels`, page),
    getChat: (chat, how) => get(`${BASE}/talk_chats/${id(chat)}`, how),
    updateChat: (chat, body, how) => put(`${BASE}/talk_chats/${id(chat)}`, body, how),
    deleteChat: (chat, how) => remove(`${BASE}/talk_chats/${id(chat)}`, how),
    joinChat: (chat, how) => make(`${BASE}/talk_chats/${id(chat)}/join`, undefined, how),
    listParticipants: (chat, how) => get(`${BASE}/talk_chats/${id(chat)}/participants`, how),
    addParticipant: (chat, body, how) => make(`${BASE}/talk_chats/${id(chat)}/participants`, body, how),
    removeParticipant: async (chat, participant, how = {}) => {
      let lost = false;
      const path = `${BASE}/talk_chats/${id(chat)}/participants/${id(participant)}`;
      return ask({ method: "DELETE", path, signal: how.signal, onLost: () => void (lost = true) }).catch((error) => {
        // The try whose answer was lost has done it.
        if (lost && error instanceof TalkError && error.reason === "PARTICIPANT_NOT_FOUND") return null;
        throw error;
      });
    },

    listMessages: (page) => list(`${BASE}/talk_messages`, page),
    createMessage: (body, how) => make(`${BASE}/talk_messages`, body, how),
    getMessage: (message, how) => get(`${BASE}/talk_messages/${id(message)}`, how),
    deleteMessage: (message, how) => remove(`${BASE}/talk_messages/${id(message)}`, how),
    // Setting a reaction that is set changes nothing, so it can be repeated.
    addReaction: (message, emoji, how = {}) =>
      ask({
        method: "POST",
        path: `${BASE}/talk_messages/${id(message)}/reactions`,
        body: { emoji },
        signal: how.signal,
        repeatable: true,
      }),
    removeReaction: (message, emoji, how) =>
      remove(`${BASE}/talk_messages/${id(message)}/reactions?emoji=${id(emoji)}`, how),

    listFiles: (page) => list(`${BASE}/files`, page),
    uploadFile: (file, how) => upload(http, options, `${BASE}/files`, file, how),
    getFile: (file, how) => get(`${BASE}/files/${id(file)}`, how),
    deleteFile: (file, how) => remove(`${BASE}/files/${id(file)}`, how),
    downloadFile: (file, how) => download(http, options, `${BASE}/files/${id(file)}/file`, how),

    listAccesskeys: (page) => list("/v1.0/accesskeys", page),
    createAccesskey: (body, how) => once("/v1.0/accesskeys", body, how),
    getAccesskey: (key, how) => get(`/v1.0/accesskeys/${id(key)}`, how),
    updateAccesskey: (key, body, how) => put(`/v1.0/accesskeys/${id(key)}`, body, how),
    deleteAccesskey: (key, how) => remove(`/v1.0/accesskeys/${id(key)}`, how),

    listAgents: (page) => list("/v1.0/agents", page),
    createAgent: (body, how) => once("/v1.0/agents", body, how),
    getAgent: (agent, how) => get(`/v1.0/agents/${id(agent)}`, how),
    updateAgent: (agent, body, how) => put(`/v1.0/agents/${id(agent)}`, body, how),
    deleteAgent: (agent, how) => remove(`/v1.0/agents/${id(agent)}`, how),

    listCustomers: (page) => list("/v1.0/customers", page),
    createCustomer: (body, how) => once("/v1.0/customers", body, how),

    ping: (how) => get("/ping", how),
    live: (how) => get("/health/live", how),
    ready: (how) => get("/health/ready", how),
    metrics: (how) => text("/metrics", how),
    openapi: (how) => get("/openapi.json", how),
    asyncapi: (how) => get("/asyncapi.json", how),
  };
}

/**
 * Every row of a list, page by page.
 * @template T
 * @template {PageOf} P
 * @param {(page: P) => Promise<import("./index.js").Page<T>>} list
 * @param {P} [page]
 * @returns {AsyncGenerator<T>}
 */
export async function* every(list, page) {
  let token = page?.page_token ?? "";
  for (;;) {
    const asked = /** @type {P} */ ({ ...page, page_token: token });
    const { result, next_page_token: next } = await list(asked);
    yield* result;
    // Fewer than were asked for: there are no more, and nothing need be asked.
    if (next === "" || result.length < Math.min(page?.page_size ?? PAGE_MOST, PAGE_MOST)) return;
    token = next;
  }
}
