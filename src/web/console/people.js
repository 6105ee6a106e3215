// Who somebody is on the screen: names, avatars and statuses of agents, and the names and faces of
// chats, which for those without a name come from their members.
// @ts-check
import { h, icon } from './dom.js';
import { hueOf, initials, listed } from './text.js';

/** @typedef {import('/client/index.js').Store} Store */
/** @typedef {import('/client/index.js').ChatView} ChatView */

/** Statuses as the hub names them, in the order of the menu. @type {Record<string, string>} */
export const STATUSES = { available: 'Available', away: 'Away', busy: 'Busy', ringing: 'Ringing', offline: 'Offline' };

/**
 * @param {Store} store
 * @param {string} id
 */
export function nameOf(store, id) {
  const agent = store.agents.get(id);
  return agent?.name?.trim() || agent?.username || 'Somebody who left';
}

/**
 * @param {Store} store
 * @param {string} id
 */
export function statusOf(store, id) {
  const status = store.agents.get(id)?.status ?? 'offline';
  return status in STATUSES ? status : 'offline';
}

/**
 * An avatar: decoration beside a name.
 * @param {Store} store
 * @param {string} id
 * @param {{ size?: number, status?: boolean }} [how]
 */
export function avatarOf(store, id, { size = 36, status = false } = {}) {
  const box = h('span.avatar', { 'aria-hidden': 'true' }, h('span.letters', null, initials(nameOf(store, id))));
  box.style.setProperty('--avatar-size', `${size}px`);
  box.style.setProperty('--hue', String(hueOf(id)));
  if (status) box.append(dotOf(statusOf(store, id)));
  return box;
}

/** @param {string} status */
export function dotOf(status) {
  return h('span.dot', { class: status, 'aria-hidden': 'true' });
}

/**
 * The other person of a direct chat, or `""` while it is not known.
 * @param {Store} store
 * @param {ChatView} view
 */
export function otherOf(store, view) {
  if (view.chat.type !== 'direct') return '';
  const mine = store.me?.id;
  if (view.members) for (const id of view.members.keys()) if (id !== mine) return id;
  const owner = view.newest?.message.owner_id;
  return owner && owner !== mine && store.agents.has(owner) ? owner : '';
}

/**
 * What a chat is called. One without a name is called after the others in it.
 * @param {Store} store
 * @param {ChatView} view
 */
export function chatName(store, view) {
  const other = otherOf(store, view);
  if (other) return nameOf(store, other);
  const name = view.chat.name.trim();
  if (name) return name;
  if (view.chat.type === 'talk') return 'Channel without a name';
  if (!view.members) return view.chat.type === 'direct' ? 'Direct chat' : 'Group';
  const others = [...view.members.keys()].filter((id) => id !== store.me?.id).map((id) => nameOf(store, id));
  return others.length > 0 ? listed(others.sort((a, b) => a.localeCompare(b)), 4) : 'Only you';
}

/**
 * The face of a chat: of the other person, or a sign of what it is.
 * @param {Store} store
 * @param {ChatView} view
 * @param {number} [size]
 */
export function chatAvatar(store, view, size = 32) {
  const other = otherOf(store, view);
  if (other) return avatarOf(store, other, { size, status: true });
  return kindAvatar(view.chat.type, size);
}

/**
 * @param {string} type
 * @param {number} [size]
 */
export function kindAvatar(type, size = 32) {
  const box = h('span.avatar.plain', { 'aria-hidden': 'true' }, icon(type === 'talk' ? 'hash' : type === 'group' ? 'people' : 'person'));
  box.style.setProperty('--avatar-size', `${size}px`);
  return box;
}

/**
 * What kind of chat it is, in a word.
 * @param {string} type
 */
export function kindName(type) {
  return type === 'talk' ? 'Public channel' : type === 'group' ? 'Group' : 'Direct chat';
}

/**
 * What a message is in one line, for lists and for screen readers.
 * @param {import('/client/index.js').Message} message
 */
export function gistOf(message) {
  if (message.tm_delete) return 'Message deleted';
  const text = message.text.slice(0, 300).replace(/\s+/gu, ' ').trim();
  if (text) return text;
  const [first] = message.medias;
  if (!first) return '';
  const more = message.medias.length > 1 ? ` and ${message.medias.length - 1} more` : '';
  if (first.type === 'link') return `Link: ${first.link_url ?? ''}${more}`;
  return `${first.type === 'file' ? 'File' : 'Attachment'}: ${first.name || first.type}${more}`;
}

/**
 * Everybody but oneself and whom `without` names, by name.
 * @param {Store} store
 * @param {(id: string) => boolean} [without]
 */
export function colleagues(store, without = () => false) {
  return [...store.agents.values()]
    .filter((agent) => agent.id !== store.me?.id && !agent.tm_delete && !without(agent.id))
    .sort((a, b) => (a.name || a.username).localeCompare(b.name || b.username));
}
