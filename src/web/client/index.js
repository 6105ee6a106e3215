// The client library of a Talk hub, for browsers and Node: its only door. Types: index.d.ts.
// @ts-check

export { every } from "./calls.js";
export { TalkError } from "./error.js";
export { Talk } from "./talk.js";
