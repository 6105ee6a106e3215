// Signing in, staying signed in, and the end of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Talk } from "../../../src/web/client/index.js";
import { DEVICES } from "../kit/devices.mjs";
import { eventually } from "../kit/eventually.mjs";
import { Hub } from "../kit/hub.mjs";
import { agent, call, people } from "../kit/people.mjs";
import { Proxy } from "../kit/proxy.mjs";
import { refusal, tampered } from "../kit/tampered.mjs";

const QUICK = { live: { firstMs: 50, mostMs: 300, spreadMs: 100 }, retry: { firstMs: 50, mostMs: 300 } };

async function scene(t, device, settings = {}) {
  await device.start();
  t.after(() => device.stop());
  const hub = await Hub.start(settings);
  t.after(() => hub.stop());
  const proxy = await Proxy.to(hub.url);
  t.after(() => proxy.stop());
  const [ada] = await people(hub, "Ada");
  const client = await device.client(proxy.url, { ...QUICK, url: proxy.url });
  t.after(() => client.close());
  const signIn = () =>
    client.run((talk, { username, password }) => talk.signIn(username, password).then((me) => me.name), ada);
  const state = (wanted) => eventually(`the state is ${wanted}`, () => client.run((talk, told) => talk.live.state === told, wanted));
  return { hub, proxy, ada, client, signIn, state };
}

for (const device of DEVICES) {
  test(`who signs in is live, and a wrong password says so (${device.name})`, async (t) => {
    const { ada, client, signIn, state } = await scene(t, device);
    const refused = await client.run(
      (talk, username) => talk.signIn(username, "wrong").catch(({ http, reason, requestId }) => [http, reason, requestId !== ""]),
      ada.username,
    );
    assert.deepEqual(refused, [401, "INVALID_CREDENTIALS", true]);
    assert.equal(await signIn(), "Ada");
    await state("live");
    await client.run((talk) => talk.signOut());
    await state("signed-out");
    const after = await client.run((talk) => talk.calls.getMe().catch(({ reason }) => reason));
    assert.equal(after, "AUTHENTICATION_REQUIRED", "neither token nor cookie is left");
    assert.equal(await signIn(), "Ada", "and can sign in again");
    await state("live");
  });

  test(`a sign-in goes on over many lives of its tokens (${device.name})`, async (t) => {
    const { client, signIn, state } = await scene(t, device, { "auth.token_ttl_secs": 2 });
    const began = Date.now();
    await signIn();
    await eventually("three tokens have ended", () => Date.now() - began > 7_000);
    assert.equal(await client.run((talk) => talk.calls.getMe().then(({ name }) => name)), "Ada");
    await state("live");
  });

  test(`a sign-in ends when it has lasted as long as it may (${device.name})`, async (t) => {
    const { client, signIn, state } = await scene(t, device, { "auth.token_ttl_secs": 2, "auth.session_secs": 4 });
    await signIn();
    await state("live");
    await state("signed-out");
    assert.equal(await client.run((talk) => talk.live.reason), "credential");
  });
}

test("an access key works, and ends when it is revoked; a callback brings the next one", async (t) => {
  const hub = await Hub.start();
  t.after(() => hub.stop());
  const [ada] = await people(hub, "Ada");
  const key = await call(hub.url, "POST", "/v1.0/accesskeys", { name: "one" }, ada.token);
  const next = await call(hub.url, "POST", "/v1.0/accesskeys", { name: "two" }, ada.token);
  const asked = [];
  const keys = [key.token, next.token];
  const credentials = (why) => {
    asked.push(why);
    return keys.shift() ?? null;
  };
  const talk = new Talk({ ...QUICK, url: hub.url, credentials });
  t.after(() => talk.close());
  await talk.start();
  await eventually("it is live", () => talk.live.state === "live");
  await call(hub.url, "DELETE", `/v1.0/accesskeys/${key.id}`, undefined, ada.token);
  await eventually("the other key was asked for", () => asked.join() === "start,refused");
  await eventually("it is live again", () => talk.live.state === "live");
  await call(hub.url, "DELETE", `/v1.0/accesskeys/${next.id}`, undefined, ada.token);
  await eventually("there is no other", () => talk.live.state === "signed-out");
});

const chromium = DEVICES.find(({ name }) => name === "chromium");

test("a page that is loaded again goes on with the sign-in, and another's cookie changes nothing", async (t) => {
  if (!chromium) return t.skip("a matter of browsers");
  const { hub, ada, client, proxy, signIn, state } = await scene(t, chromium);
  assert.equal(await client.run((talk) => talk.resume()), null, "nobody has signed in");
  await signIn();
  await client.reload();
  assert.equal(await client.run((talk) => talk.resume().then((me) => me.name)), "Ada");
  await state("live");
  const addresses = [];
  client.page.on("websocket", (socket) => addresses.push(socket.url()));
  proxy.cut();
  await eventually("it came back", () => addresses.length > 0);
  await state("live");
  assert.ok(!addresses.join().includes("token="), "the token is in no address");
  const bo = await agent(hub, ada.customer_id, "Bo");
  await client.page.evaluate(
    ({ username, password }) =>
      fetch("/auth/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ username, password }),
      }),
    bo,
  );
  proxy.cut();
  await eventually("it came back in its own name", () => addresses.some((address) => address.includes("token=")));
  await state("live");
  assert.equal(await client.run((talk) => talk.calls.getMe().then(({ name }) => name)), "Ada");
});

test("a device whose clock is days ahead renews no more often than others", async (t) => {
  const hub = await Hub.start();
  t.after(() => hub.stop());
  const [ada] = await people(hub, "Ada");
  const { talk, net, live } = tampered(t, hub.url, QUICK);
  let renewals = 0;
  net.call = (url) => void (renewals += url.endsWith("/auth/renew") ? 1 : 0);
  const real = Date.now;
  t.after(() => (Date.now = real));
  Date.now = () => real() + 2 * 86_400_000;
  await talk.signIn(ada.username, ada.password);
  await live();
  const began = real();
  await eventually("a while has gone by", () => real() - began > 1_500);
  assert.equal(renewals, 0);
});

test("a token without the hub's mark is never sent to be renewed", async (t) => {
  const asked = [];
  const part = (claims) => Buffer.from(JSON.stringify(claims)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const token = `e.${part({ iss: "https://idp.test", sub: "x", iat: now, exp: now + 1 })}.s`;
  const { net } = tampered(t, "http://127.0.0.1:9", { ...QUICK, token, credentials: (why) => void asked.push(why) });
  net.call = () => refusal(403);
  await eventually("another was asked for", () => asked.length > 0);
  assert.equal(net.calls, 0);
});

test("tabs: a sign-out ends them all, and no renewal takes another's cookie", async (t) => {
  if (!chromium) return t.skip("a matter of browsers");
  const { hub, ada, client, signIn, state } = await scene(t, chromium, { "auth.token_ttl_secs": 2 });
  const bo = await agent(hub, ada.customer_id, "Bo");
  await signIn();
  await state("live");
  const tab = async () => {
    const page = await client.page.context().newPage();
    await page.goto(client.page.url());
    await page.evaluate(async (options) => {
      const { Talk } = await import("/client/index.js");
      Object.assign(window, { talk: new Talk(options) });
    }, QUICK);
    return page;
  };
  const second = await tab();
  assert.equal(await second.evaluate(() => window.talk.resume().then((me) => me.name)), "Ada");
  const third = await tab();
  await third.evaluate(({ username, password }) => window.talk.signIn(username, password).then(() => {}), bo);
  let renewals = 0;
  for (const page of [client.page, second]) page.on("response", (answer) => void (renewals += answer.url().endsWith("/auth/renew") ? 1 : 0));
  await eventually("Ada's tabs have renewed", () => renewals > 3);
  const whose = () => fetch("/v1.0/service_agents/me").then((answer) => answer.json()).then(({ name }) => name);
  assert.equal(await third.evaluate(whose), "Bo");
  assert.equal(await client.run((talk) => talk.signOut()), true);
  await eventually("the other tab of Ada's has ended", () => second.evaluate(() => window.talk.live.state === "signed-out"));
  assert.equal(await second.evaluate(() => window.talk.live.reason), "signed out");
  assert.equal(await third.evaluate(() => window.talk.me.name), "Bo");
});
