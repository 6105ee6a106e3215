// Shows /asyncapi.json of this hub to people: what is said over a socket, by whom, field by field, with
// examples; topics, coming back, and the ways a connection ends. Everything on the page is in that document.
// @ts-check
import { blocks, element, inline, slug } from "./markdown.js";

/** @typedef {any} Json what the document holds: it is checked where it is made */

/** @type {[id: string, title: string, action: string][]} */
const PARTS = [
  ["said-by-clients", "Clients say", "receive"],
  ["said-by-the-hub", "The hub says", "send"],
];

/** @param {Json} document @param {string} reference @returns {Json} */
const at = (document, reference) =>
  reference.slice(2).split("/").reduce((/** @type {Json} */ part, name) => part[name.replace(/~1/g, "/")], document);

/**
 * A schema with what it refers to in its place; `name` says which one that was.
 * @param {Json} document @param {Json} schema @returns {Json}
 */
const followed = (document, schema) => {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref ?? schema.oneOf?.[0]?.$ref;
  if (!reference) return { ...schema };
  return { ...at(document, reference), ...(schema.description ? { description: schema.description } : {}), name: reference.split("/").pop() };
};

/** What a field may be, in words. @param {Json} document @param {Json} given @returns {string} */
const kindOf = (document, given) => {
  const schema = followed(document, given);
  if ("const" in schema) return `"${schema.const}"`;
  if (schema.enum) return schema.enum.length > 6 ? "one of its words" : schema.enum.map((/** @type {string} */ word) => `"${word}"`).join(" | ");
  if (schema.type === "array" || schema.type?.includes?.("array")) return `list of ${kindOf(document, schema.items)}`;
  if (schema.name) return schema.name;
  const types = [schema.type ?? "any"].flat();
  if (types.includes("object") && schema.additionalProperties) return `object: id → ${kindOf(document, schema.additionalProperties)}`;
  return types.map((type) => (type === "string" && schema.format) || type).join(" | ");
};

/** What a value must keep to, where its description does not say it. @param {Json} schema */
const limits = (schema) => {
  const words = [];
  if (schema.maxLength && !schema.description?.includes("At most")) words.push(`At most ${schema.maxLength} characters.`);
  if (schema.minItems) words.push(`At least ${schema.minItems}.`);
  return words.join(" ");
};

/**
 * The names of an object's fields: first those that are always there, in the order in which they are said.
 * @param {Json} schema @returns {string[]}
 */
const names = (schema) => [...new Set([...(schema.required ?? []), ...Object.keys(schema.properties ?? {})])];

/** A value with its fields in that order. @param {Json} document @param {Json} given @param {Json} value @returns {Json} */
const ordered = (document, given, value) => {
  const schema = followed(document, given ?? {});
  if (Array.isArray(value)) return value.map((item) => ordered(document, schema.items, item));
  if (typeof value !== "object" || value === null || !schema.properties) return value;
  const known = names(schema).filter((name) => name in value);
  return Object.fromEntries(known.map((name) => [name, ordered(document, schema.properties[name], value[name])]));
};

/** The fields of an object, one row each. @param {Json} document @param {Json} schema */
const fields = (document, schema) => {
  const rows = names(schema).map((name) => {
    const given = schema.properties[name];
    const field = followed(document, given);
    const required = schema.required?.includes(name);
    const link = field.name ?? followed(document, field.items ?? {}).name ?? followed(document, field.additionalProperties || {}).name;
    const kind = kindOf(document, given);
    return element("tr", {},
      element("th", { scope: "row" }, element("code", {}, name), required ? "" : element("span", { class: "optional" }, " optional")),
      element("td", {}, link ? element("a", { href: `#schema-${slug(link)}` }, kind) : kind),
      element("td", {}, ...inline([field.description ?? "", limits(field)].join(" ").trim())));
  });
  const head = ["Field", "Is", "Says"].map((text) => element("th", { scope: "col" }, text));
  return element("div", { class: "wide" },
    element("table", { class: "fields" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
};

/** @param {Json} document @param {Json} message @returns {Node[]} */
const examples = (document, message) =>
  (message.examples ?? []).map((/** @type {{ name: string, payload: Json }} */ { name, payload }) => {
    const text = JSON.stringify(ordered(document, message.payload, payload), null, 2);
    return element("figure", {}, element("figcaption", {}, name), element("pre", { tabindex: "0" }, element("code", {}, text)));
  });

/** @param {Json} document @param {Json} message */
const frame = (document, message) =>
  element("section", { "aria-labelledby": `frame-${message.name}` },
    element("h3", { id: `frame-${message.name}` }, element("code", {}, message.name)),
    element("p", {}, ...inline(message.summary)),
    fields(document, message.payload),
    ...examples(document, message));

/**
 * The frames that one side says: of the hub's, first the answers.
 * @param {Json} document @param {string} action @returns {Json[]}
 */
const saidBy = (document, action) => {
  /** @type {Json[]} */
  const operations = Object.values(document.operations);
  const replies = action === "send" ? operations.flatMap(({ reply }) => reply?.messages ?? []) : [];
  const said = operations.filter((operation) => operation.action === action).flatMap(({ messages }) => messages);
  const found = new Set([...replies, ...said].map(({ $ref }) => $ref.split("/").pop()));
  return [...found].map((name) => document.components.messages[name]);
};

/** @param {Json} document */
const schemas = (document) =>
  Object.entries(/** @type {Json} */ (document.components.schemas)).map(([name, schema]) =>
    element("section", { "aria-labelledby": `schema-${slug(name)}` },
      element("h3", { id: `schema-${slug(name)}` }, element("code", {}, name)),
      element("p", {}, ...inline(schema.description ?? "")),
      schema.properties ? fields(document, schema) : element("p", {}, ...inline((schema.enum ?? []).map((/** @type {string} */ word) => `\`${word}\``).join(", ")))));

/** @param {Json} document */
const addresses = (document) =>
  element("ul", {}, ...Object.values(/** @type {Record<string, Json>} */ (document.channels)).map((channel) => element("li", {}, element("code", {}, channel.address))));

/** Links to every heading, those of frames below their part. @param {HTMLElement} main */
const contents = (main) => {
  const list = element("ul");
  let below = list;
  for (const heading of main.querySelectorAll("h2, h3")) {
    const item = element("li", {}, element("a", { href: `#${heading.id}` }, heading.textContent ?? ""));
    if (heading.tagName === "H2") {
      below = element("ul");
      item.append(below);
      list.append(item);
    } else {
      below.append(item);
    }
  }
  list.querySelectorAll("ul:empty").forEach((empty) => empty.remove());
  return list;
};

/** @param {Json} document */
const show = (document) => {
  const main = /** @type {HTMLElement} */ (window.document.getElementById("events"));
  /** @type {Json} */
  const channel = Object.values(document.channels)[0];
  main.append(element("h1", {}, document.info.title), element("p", { class: "version" }, document.info.version));
  const [about = "", ...rest] = /** @type {string} */ (document.info.description).split("\n## ");
  main.append(...blocks(about));
  main.append(element("h2", { id: "connect" }, "Connecting"), addresses(document), ...blocks(channel.description));
  main.append(...blocks(rest.map((/** @type {string} */ part) => `## ${part.replace("\n", "\n\n")}`).join("\n\n")));
  for (const [id, title, action] of PARTS) {
    main.append(element("h2", { id }, title), ...saidBy(document, action).map((message) => frame(document, message)));
  }
  main.append(element("h2", { id: "made-of" }, "What frames are made of"), ...schemas(document));
  window.document.getElementById("contents")?.append(contents(main));
  main.removeAttribute("aria-busy");
  // The browser looked for it before it was there.
  if (location.hash) window.document.getElementById(location.hash.slice(1))?.scrollIntoView();
};

/** @param {Error} error */
const failed = (error) => {
  const main = /** @type {HTMLElement} */ (window.document.getElementById("events"));
  main.removeAttribute("aria-busy");
  main.append(element("p", { role: "alert" }, `This page could not be made from /asyncapi.json: ${error.message}`));
};

fetch("/asyncapi.json").then((answer) => answer.json()).then(show).catch(failed);
