// Every typed call, once, against a real hub; and how calls are repeated and given up.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { Talk, every } from "../../../src/web/client/index.js";
import { DEVICES } from "../kit/devices.mjs";
import { ADMIN_TOKEN, Hub } from "../kit/hub.mjs";
import { agent, people } from "../kit/people.mjs";

/** Operations that are no calls of the library: the same at another address, sockets, pages. */
const NO_CALLS = [
  "login_below_base",
  "renew_below_base",
  "logout_below_base",
  "open_socket",
  "open_agent_socket",
  "docs",
  "docs_file",
  "docs_events",
  "console",
  "console_file",
  "console_demo",
  "console_demo_begin",
  "client_file",
];

/** Makes every call; the answer names those that were made. Runs on the device, so it stands alone. */
async function callAll(talk, { ada, bo, adminToken, url }, library) {
  const made = new Set();
  const watched = (calls) =>
    new Proxy(calls, {
      get(all, name) {
        made.add(name);
        return all[name];
      },
    });
  const as = (token) => watched(library.Talk.withToken(token, { url }).calls);
  const mine = as(ada.token);
  const check = (fine, what) => {
    if (!fine) throw new Error(`not so: ${what}`);
  };
  check((await mine.login({ username: ada.username, password: ada.password })).token, "login");
  check((await mine.renew()).username === ada.username, "renew");
  check((await mine.getMe()).id === ada.id, "getMe");
  check((await mine.updateMe({ detail: "here" })).detail === "here", "updateMe");
  check((await mine.updateMyStatus("busy")).status === "busy", "updateMyStatus");
  await mine.updateMyPassword(ada.password);
  check((await mine.ownCustomer()).id === ada.customer_id, "ownCustomer");
  check((await mine.listColleagues({ page_size: 1 })).result.length === 1, "listColleagues");
  check((await mine.getColleague(bo.id)).id === bo.id, "getColleague");

  const owner = { owner_type: "agent", owner_id: bo.id };
  const chat = await mine.createChat({ type: "talk", name: "A channel" });
  check((await mine.listChats()).result.some(({ id }) => id === chat.id), "listChats");
  check((await mine.listChannels({ name: "chan" })).result[0].joined === true, "listChannels");
  check((await mine.getChat(chat.id)).cursor, "getChat");
  check((await mine.updateChat(chat.id, { detail: "x" })).detail === "x", "updateChat");
  const member = await mine.addParticipant(chat.id, owner);
  check((await mine.listParticipants(chat.id)).length === 2, "listParticipants");
  check((await mine.removeParticipant(chat.id, member.id)).id === member.id, "removeParticipant");
  check((await as(bo.token).joinChat(chat.id)).owner_id === bo.id, "joinChat");

  const key = "the-same-key";
  const message = await mine.createMessage({ chat_id: chat.id, text: "hello" }, { idempotencyKey: key });
  const again = await mine.createMessage({ chat_id: chat.id, text: "hello" }, { idempotencyKey: key });
  check(again.id === message.id, "the same key makes the same message");
  check((await mine.listMessages({ chat_id: chat.id })).result.some(({ id }) => id === message.id), "listMessages");
  check((await mine.addReaction(message.id, "👍")).metadata.reactions.length === 1, "addReaction");
  check((await mine.removeReaction(message.id, "👍")).metadata.reactions.length === 0, "removeReaction");
  check((await mine.getMessage(message.id)).text === "hello", "getMessage");
  check((await mine.deleteMessage(message.id)).tm_delete !== "", "deleteMessage");

  const bytes = new Uint8Array(300_000).map((_, place) => place % 251);
  const sent = [];
  const file = await mine.uploadFile(bytes, { name: 'a "file" ü.bin', onProgress: (some) => sent.push(some) });
  check(file.size === bytes.length && sent.at(-1) === bytes.length, "uploadFile");
  check((await mine.listFiles()).result.length === 1 && (await mine.getFile(file.id)).id === file.id, "files");
  let received = 0;
  const down = await mine.downloadFile(file.id, { onProgress: (some) => (received = some) });
  const back = new Uint8Array(await (await down.blob()).arrayBuffer());
  check(back.length === received && back.every((byte, place) => byte === bytes[place]), "downloadFile");
  const part = await mine.downloadFile(file.id, { range: [10, 19] });
  check((await (await part.blob()).arrayBuffer()).byteLength === 10, "a range");
  check((await mine.deleteFile(file.id)).id === file.id && mine.address(file.url).startsWith(url), "deleteFile");

  const access = await mine.createAccesskey({ name: "robot" });
  check((await mine.listAccesskeys()).result.length === 1, "listAccesskeys");
  check((await mine.getAccesskey(access.id)).id === access.id, "getAccesskey");
  check((await mine.updateAccesskey(access.id, { detail: "r2" })).detail === "r2", "updateAccesskey");
  await mine.deleteAccesskey(access.id);

  const admin = as(adminToken);
  const customer = await admin.createCustomer({ name: "Another" });
  check((await admin.listCustomers()).result.length > 0, "listCustomers");
  const username = `cleo-${customer.id}@tests.test`;
  const cleo = await admin.createAgent({ customer_id: customer.id, username, password: "secret 12", permission: 48 });
  const signedIn = await mine.login({ username, password: "secret 12" });
  const manager = as(signedIn.token);
  check((await manager.listAgents()).result.length === 1 && (await manager.getAgent(cleo.id)).id === cleo.id, "agents");
  check((await manager.updateAgent(cleo.id, { name: "Cleo" })).name === "Cleo", "updateAgent");
  const leaver = await manager.createAgent({ username: `x${username}`, password: "secret 12" });
  check((await manager.deleteAgent(leaver.id)).tm_delete !== "", "deleteAgent");

  check((await mine.ping()).status && (await mine.live()).status && (await mine.ready()).status, "health");
  check((await mine.metrics()).includes("# TYPE") && (await mine.asyncapi()).asyncapi, "documents");
  check((await mine.deleteChat(chat.id)).tm_delete !== "", "deleteChat");
  await mine.logout();
  const { paths } = await mine.openapi();
  const operations = Object.values(paths).flatMap((path) => Object.values(path).map((one) => one.operationId));
  return { made: [...made], operations };
}

for (const device of DEVICES) {
  test(`every call of /openapi.json has a function, and every function works (${device.name})`, async (t) => {
    await device.start();
    t.after(() => device.stop());
    const hub = await Hub.start();
    t.after(() => hub.stop());
    const [ada] = await people(hub, "Ada");
    const bo = await agent(hub, ada.customer_id, "Bo");
    const client = await device.client(hub.url, { url: hub.url });
    t.after(() => client.close());
    const { made, operations } = await client.run(callAll, { ada, bo, adminToken: ADMIN_TOKEN, url: hub.url });
    const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    const wanted = operations.filter((name) => name && !NO_CALLS.includes(name)).map(camel);
    assert.deepEqual([...made].filter((name) => name !== "address").sort(), wanted.sort());
    assert.deepEqual(client.complaints, []);
  });
}

// ---- repeating, against a server that misbehaves -------------------------------------------------

async function server(t, answer) {
  const seen = [];
  const listening = createServer((request, response) => {
    seen.push({ line: `${request.method} ${request.url}`, key: request.headers["idempotency-key"], at: Date.now() });
    const [status, body, headers = {}] = answer(seen.length);
    if (status === 0) return void request.socket.destroy();
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
  });
  await new Promise((resolve) => listening.listen(0, "127.0.0.1", () => resolve()));
  t.after(() => listening.close());
  const url = `http://127.0.0.1:${listening.address().port}`;
  return { seen, calls: Talk.withToken("vb_key", { url, retry: { firstMs: 1, mostMs: 5, tries: 4 } }).calls };
}

const BUSY = { error: { status: "UNAVAILABLE", reason: "SERVICE_UNAVAILABLE", message: "later", request_id: "req_1" } };

test("a call that makes something is repeated under one key, until it is answered", async (t) => {
  const { seen, calls } = await server(t, (count) => (count < 3 ? [0] : [200, { id: "made" }]));
  assert.equal((await calls.createMessage({ chat_id: "c", text: "hello" })).id, "made");
  assert.equal(new Set(seen.map(({ key }) => key)).size, 1);
  assert.ok(seen[0].key.length > 20 && seen.length === 3);
});

test("tries are bounded, and the last refusal is told", async (t) => {
  const { seen, calls } = await server(t, () => [503, BUSY]);
  const error = await calls.getMe().catch((fault) => fault);
  assert.deepEqual([error.http, error.reason, error.requestId, error.temporary], [503, "SERVICE_UNAVAILABLE", "req_1", true]);
  assert.equal(seen.length, 4);
});

test("what would be made twice is not repeated blindly; what was refused is not repeated at all", async (t) => {
  const { seen, calls } = await server(t, (count) => (count === 1 ? [0] : [404, {}]));
  await assert.rejects(calls.createAgent({ username: "a", password: "b" }), { reason: "NO_ANSWER" });
  await assert.rejects(calls.getMe(), { http: 404 });
  assert.equal(seen.length, 2);
});

test("Retry-After is obeyed", async (t) => {
  const { seen, calls } = await server(t, (count) => (count === 1 ? [429, {}, { "Retry-After": "1" }] : [200, {}]));
  await calls.getMe();
  assert.ok(seen[1].at - seen[0].at >= 1_000);
});

test("an aborted call ends with its signal's reason", async (t) => {
  const { calls } = await server(t, () => [503, BUSY, { "Retry-After": "30" }]);
  const controller = new AbortController();
  const call = calls.getMe({ signal: controller.signal });
  controller.abort(new Error("not any more"));
  await assert.rejects(call, /not any more/);
});

test("every row of a list comes, page by page", async (t) => {
  const pages = [{ result: [1, 2], next_page_token: "b" }, { result: [3], next_page_token: "c" }];
  const { seen, calls } = await server(t, (count) => [200, pages[count - 1]]);
  const rows = [];
  for await (const row of every(calls.listAgents, { page_size: 2 })) rows.push(row);
  assert.deepEqual(rows, [1, 2, 3]);
  assert.equal(seen[1].line, "GET /v1.0/agents?page_size=2&page_token=b");
});

test("every row comes also when larger pages are asked for than there are", async (t) => {
  const row = (_, number) => number;
  const pages = [{ result: Array.from({ length: 100 }, row), next_page_token: "b" }, { result: [100, 101], next_page_token: "c" }];
  const { seen, calls } = await server(t, (count) => [200, pages[count - 1]]);
  const rows = [];
  for await (const one of every(calls.listAgents, { page_size: 200 })) rows.push(one);
  assert.equal(rows.length, 102);
  assert.equal(seen.length, 2);
});

test("a member whose removal was not answered is gone, and that is no error", async (t) => {
  const gone = { error: { status: "NOT_FOUND", reason: "PARTICIPANT_NOT_FOUND", message: "no such member", request_id: "r" } };
  const { calls } = await server(t, (count) => (count === 1 ? [0] : [404, gone]));
  assert.equal(await calls.removeParticipant("c", "p"), null);
  await assert.rejects(calls.removeParticipant("c", "p"), { reason: "PARTICIPANT_NOT_FOUND" });
});

// ---- files ---------------------------------------------------------------------------------------

for (const device of DEVICES) {
  test(`an upload whose credential is refused is made with the next one (${device.name})`, async (t) => {
    await device.start();
    t.after(() => device.stop());
    const hub = await Hub.start();
    t.after(() => hub.stop());
    const [ada] = await people(hub, "Ada");
    const client = await device.client(hub.url, { url: hub.url });
    t.after(() => client.close());
    const sizes = await client.run(
      async (_, { token, url }, { Talk }) => {
        const begin = () => Talk.withToken(`vb_${"y".repeat(32)}`, { url, credentials: () => token }).calls;
        const bytes = new Uint8Array(200_000).fill(7);
        const files = [new Blob([bytes]), bytes];
        const stream = async function* () {
          yield bytes;
        };
        if (typeof XMLHttpRequest !== "function") files.push({ stream: stream(), size: bytes.length });
        const sent = [];
        for (const file of files) sent.push((await begin().uploadFile(file, { name: "a.bin" })).size);
        return sent;
      },
      { token: ada.token, url: hub.url },
    );
    assert.deepEqual(new Set(sizes), new Set([200_000]));
  });
}

test("a transfer in which nothing moves is given up", async (t) => {
  const listening = createServer((request, response) => {
    request.resume();
    if (request.method === "GET") response.writeHead(200, { "Content-Length": "100" }).write("some");
  });
  await new Promise((resolve) => listening.listen(0, "127.0.0.1", () => resolve()));
  t.after(() => listening.closeAllConnections());
  t.after(() => listening.close());
  const url = `http://127.0.0.1:${listening.address().port}`;
  const { calls } = Talk.withToken("vb_key", { url, stallMs: 200 });
  await assert.rejects(calls.uploadFile(new Uint8Array(10)), { status: "TIMEOUT" });
  const { blob } = await calls.downloadFile("f");
  await assert.rejects(blob(), { status: "TIMEOUT" });
});
