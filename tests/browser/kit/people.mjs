// Customers and agents of a hub, made with its admin token.

import { ADMIN_TOKEN } from "./hub.mjs";

export const PASSWORD = "a password for tests";

let count = 0;

/** @param {string} url @param {string} method @param {string} path @param {unknown} [body] @param {string} [token] */
export async function call(url, method, path, body, token = ADMIN_TOKEN) {
  const headers = { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const response = await fetch(url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/**
 * A new customer with agents of these names; each with `username`, `password` and `token`.
 * @param {{ url: string }} hub
 * @param {...string} names
 */
export async function people(hub, ...names) {
  const customer = await call(hub.url, "POST", "/v1.0/customers", { name: "A customer of tests" });
  return Promise.all(names.map((name) => agent(hub, customer.id, name)));
}

/**
 * @param {{ url: string }} hub
 * @param {string} customerId
 * @param {string} name
 * @param {number} [permission]
 */
export async function agent(hub, customerId, name, permission = 16) {
  count += 1;
  const username = `${name.toLowerCase().replace(/[^a-z]/g, "").slice(0, 40)}-${process.pid}-${count}@tests.test`;
  const body = { customer_id: customerId, username, password: PASSWORD, name, permission };
  const made = await call(hub.url, "POST", "/v1.0/agents", body);
  const { token } = await call(hub.url, "POST", "/auth/login", { username, password: PASSWORD });
  return { ...made, username, password: PASSWORD, token };
}

/** As the calls that make chats name other people. @param {...{ id: string }} agents */
export function owners(...agents) {
  return agents.map(({ id }) => ({ owner_type: "agent", owner_id: id }));
}
