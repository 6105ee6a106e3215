// One message on the screen: who, when, what, with its files, reactions and replies; tombstones,
// system lines, and what stands above it (a new day, what is unread).
// @ts-check
import { h, icon } from './dom.js';
import { attachmentsOf } from './files.js';
import { explain } from './notices.js';
import { avatarOf, gistOf, nameOf } from './people.js';
import { reactionsOf } from './reactions.js';
import { counted, nodesOf, onlyEmoji } from './text.js';
import { clockTime, dayName, instant, shortTime, timeOfDay, wholeTime } from './times.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').Row} Row */

/** A new day begins with it. */
export const DAY = 1;
/** What is unread begins with it. */
export const UNREAD = 2;
/** It follows one of the same author at once: no head. */
export const FOLLOWS = 4;
/** It stands at the head of its thread. */
export const ROOT = 8;
/** What is drawn is the same for equal flags: this counts up when names or searches change. */
export const VERSION = 16;

/**
 * @param {App} app
 * @param {Row} row
 * @param {number} flags
 * @param {{ thread: boolean, searched: string }} how
 * @returns {HTMLElement}
 */
export function drawMessage(app, row, flags, how) {
  const { message } = row;
  const at = instant(message.tm_create) || Date.now();
  const shown = message.type === 'system' ? systemLine(row, at)
    : message.parent_id && !how.thread ? replyLine(app, row, at) : whole(app, row, flags, at, how);
  shown.setAttribute('data-row', row.key);
  return h('div.row', { 'data-key': row.key },
    Boolean(flags & DAY) && h('div.day', null, h('span', null, dayName(at))),
    Boolean(flags & UNREAD) && h('div.unread-line', { class: flags & DAY ? 'close' : '' }, h('span', null, 'New')),
    shown,
    Boolean(flags & ROOT) && h('div.replies-line', null, h('span', null, repliesName(message))));
}

/** @param {import('/client/index.js').Message} message */
function repliesName(message) {
  return message.reply_count ? counted(message.reply_count, 'reply', 'replies') : 'No replies yet';
}

/** Letters of a message that is only referred to. */
const BEGUN = 28;

/** How a text begins. @param {string} text */
function begun(text) {
  const letters = [...text];
  return letters.length > BEGUN ? `${letters.slice(0, BEGUN - 1).join('').trimEnd()}…` : text;
}

/** @param {Row} row @param {number} at */
function systemLine({ message }, at) {
  return h('article.system', { tabindex: '-1', 'aria-label': `${message.text} ${timeOfDay(at)}` },
    h('span', { dir: 'auto' }, message.text), h('time', { title: wholeTime(at) }, timeOfDay(at)));
}

/**
 * A reply where it stands among the messages of the chat: one line that leads to its thread.
 * @param {App} app @param {Row} row @param {number} at
 */
function replyLine(app, row, at) {
  const { message } = row;
  const name = nameOf(app.store, message.owner_id);
  const parent = app.store.row(message.chat_id, message.parent_id ?? '');
  const about = parent ? begun(gistOf(parent.message)) : '';
  const gist = gistOf(message);
  return h('article.reply-line', {
    tabindex: '-1', 'aria-label': `${name} replied in a thread${about ? ` about ${about}` : ''}: ${gist}, ${timeOfDay(at)}`,
    class: row.state,
  },
    h('span.hook', { 'aria-hidden': 'true' }, icon('reply')),
    avatarOf(app.store, message.owner_id, { size: 18 }),
    h('button.cut', { type: 'button', tabindex: '-1', 'data-act': 'thread' },
      h('bdi.who', null, name), ' replied', about && h('span.about', null, ' to “', h('bdi', null, about), '”'), ': ',
      h('bdi.gist', { class: message.tm_delete ? 'gone' : '' }, gist)),
    row.state === 'failed' ? h('span.wrong', null, 'Not sent') : h('time', { title: wholeTime(at) }, timeOfDay(at)));
}

/**
 * @param {App} app @param {Row} row @param {number} flags @param {number} at
 * @param {{ thread: boolean, searched: string }} how
 */
function whole(app, row, flags, at, how) {
  const { message } = row;
  const name = nameOf(app.store, message.owner_id);
  const follows = Boolean(flags & FOLLOWS);
  const time = h('time', { datetime: new Date(at).toISOString(), title: wholeTime(at) }, follows ? clockTime(at) : timeOfDay(at));
  const label = `${name}, ${timeOfDay(at)}: ${gistOf(message)}${stateName(row)}${repliesLabel(message)}`;
  return h('article.message', {
    tabindex: '-1', 'aria-label': label, class: `${follows ? 'follows' : ''} ${row.state} ${message.tm_delete ? 'gone' : ''}`,
  },
    h('div.side', null, follows ? time : avatarOf(app.store, message.owner_id)),
    h('div.body', null,
      !follows && h('div.head', null, h('bdi.author', null, name), time),
      message.tm_delete ? h('p.tombstone', null, 'This message was deleted') : contentOf(app, row, how),
      sendingLine(row),
      reactionsOf(app, row),
      (!how.thread || !(flags & ROOT)) && threadLine(app, message)));
}

/** @param {Row} row */
function stateName({ state }) {
  return state === 'sending' ? ', being sent' : state === 'failed' ? ', not sent' : '';
}

/** @param {import('/client/index.js').Message} message */
function repliesLabel({ reply_count: count }) {
  return count ? `, ${counted(count, 'reply', 'replies')}` : '';
}

/** @param {App} app @param {Row} row @param {{ searched: string }} how */
function contentOf(app, row, { searched }) {
  const { message } = row;
  const jumbo = message.medias.length === 0 ? onlyEmoji(message.text) : 0;
  const text = message.text && h('div.text', { dir: 'auto', class: jumbo ? (jumbo <= 3 ? 'jumbo' : 'large') : '' },
    nodesOf(message.text, searched));
  return [text, message.medias.length > 0 && attachmentsOf(app, message)];
}

/** What became of a message that is not with the hub yet. @param {Row} row */
function sendingLine({ state, error, message }) {
  if (state === 'sending') return h('p.pending', null, icon('clock'), 'Sending');
  if (state === 'failed') {
    return h('p.failed', { role: 'group' }, icon('warn'), h('span', null, `Not sent. ${error ? explain(error) : ''}`),
      h('button.link-button', { type: 'button', 'data-act': 'retry' }, 'Try again'),
      h('button.link-button', { type: 'button', 'data-act': 'discard' }, 'Discard'));
  }
  return error && !message.tm_delete ? h('p.failed', null, icon('warn'), h('span', null, explain(error))) : null;
}

/** @param {App} app @param {import('/client/index.js').Message} message */
function threadLine(app, message) {
  if (!message.reply_count) return null;
  const last = app.lastReply(message.chat_id, message.id);
  const at = last ? instant(last.tm_create) : 0;
  return h('button.thread-line', { type: 'button', tabindex: '-1', 'data-act': 'thread' },
    last && avatarOf(app.store, last.owner_id, { size: 20 }),
    h('strong', null, counted(message.reply_count, 'reply', 'replies')),
    at > 0 && h('span.when', null, `Last ${shortTime(at)}`));
}
