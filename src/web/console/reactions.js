// Reactions below a message: each emoji with its count, who gave it, and whether one is one's own.
// @ts-check
import { h } from './dom.js';
import { nameOf } from './people.js';
import { listed } from './text.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').Row} Row */

/**
 * The reactions of a message, by emoji, in the order in which each was first given.
 * @param {import('/client/index.js').Message} message
 */
export function grouped(message) {
  /** @type {Map<string, string[]>} */
  const groups = new Map();
  for (const { emoji, owner_id: owner } of message.metadata?.reactions ?? []) {
    const owners = groups.get(emoji);
    if (owners) owners.push(owner);
    else groups.set(emoji, [owner]);
  }
  return groups;
}

/**
 * The row of reactions, or null when there are none.
 * @param {App} app
 * @param {Row} row
 */
export function reactionsOf(app, row) {
  const groups = grouped(row.message);
  if (groups.size === 0 || row.message.tm_delete) return null;
  const mine = app.store.me?.id ?? '';
  const pills = [...groups].map(([emoji, owners]) => {
    const own = owners.includes(mine);
    const names = owners.map((id) => (id === mine ? 'You' : nameOf(app.store, id)));
    const who = listed(names, 12);
    return h('span.reaction', null,
      h('button.pill', {
        type: 'button', tabindex: '-1', 'aria-pressed': String(own), 'data-emoji': emoji,
        'aria-label': `${emoji} ${owners.length}: ${who}. ${own ? 'Take back' : 'Add yours'}`,
        onclick: () => react(app, row, emoji, !own),
      }, h('span.emoji', null, emoji), h('span.count', null, owners.length)),
      h('span.tip', { role: 'tooltip', 'aria-hidden': 'true', dir: 'auto' }, `${who} reacted with ${emoji}`));
  });
  return h('div.reactions', { role: 'group', 'aria-label': 'Reactions' }, pills);
}

/**
 * Sets or takes back one's reaction.
 * @param {App} app
 * @param {Row} row
 * @param {string} emoji
 * @param {boolean} [on]
 */
export function react(app, row, emoji, on) {
  const { message } = row;
  if (!message.id) return;
  const mine = app.store.me?.id;
  const has = (message.metadata?.reactions ?? []).some((one) => one.emoji === emoji && one.owner_id === mine);
  app.store.react(message.chat_id, message.id, emoji, on ?? !has).catch(app.failed);
}
