// The quick switcher: a few letters lead to a chat, a person or a channel.
// @ts-check
import { fill, h } from './dom.js';
import { openDialog } from './dialogs.js';
import { openDirect } from './members.js';
import { avatarOf, chatAvatar, chatName, colleagues, kindAvatar, kindName, nameOf, otherOf } from './people.js';
import { counted, folded, matches } from './text.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {{ name: string, note: string, face: Node, act: () => void, unread: number }} Hit */

const HITS_MAX = 12;
const TYPING_MS = 150;

/**
 * @param {App} app
 * @param {import('/client/index.js').ChatView[]} order Chats as the list has them.
 */
export function openSwitcher(app, order) {
  if (document.querySelector('dialog[open] .switcher')) return;
  /** @type {Hit[]} */ let hits = [];
  /** @type {import('/client/index.js').Chat[]} */ let channels = [];
  let at = 0;
  const list = h('ul.hits', { role: 'listbox', id: 'hits', 'aria-label': 'Chats and people' });
  const input = h('input.input', {
    type: 'text', placeholder: 'Find a chat, a person or a channel', 'aria-label': 'Find a chat, a person or a channel', autocomplete: 'off', spellcheck: 'false',
    role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'hits', 'aria-autocomplete': 'list', autofocus: true,
  });
  const go = (/** @type {number} */ place) => { const hit = hits[place]; if (hit) { close(); hit.act(); } };
  const mark = () => {
    [...list.children].forEach((item, place) => item.setAttribute('aria-selected', String(place === at)));
    input.setAttribute('aria-activedescendant', hits.length > 0 ? `hit-${at}` : '');
    list.children[at]?.scrollIntoView({ block: 'nearest' });
  };
  const draw = () => {
    hits = find(app, order, input.value.trim(), channels);
    at = Math.min(at, Math.max(0, hits.length - 1));
    fill(list, hits.map((hit, place) => h('li.hit-row', { role: 'option', id: `hit-${place}`, onclick: () => go(place), onpointermove: () => { if (at !== place) { at = place; mark(); } } },
      hit.face, h('bdi.cut', null, hit.name), h('span.note.cut', null, hit.note), hit.unread > 0 && h('span.badge', null, hit.unread))),
    hits.length === 0 && h('li.note.empty', { role: 'option', 'aria-disabled': 'true' }, 'Nothing has that name.'));
    mark();
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
  let asking = new AbortController();
  input.addEventListener('input', () => {
    at = 0;
    draw();
    clearTimeout(timer);
    asking.abort();
    if (!input.value.trim()) { channels = []; return; }
    timer = setTimeout(async () => {
      asking = new AbortController();
      try {
        channels = (await app.calls.listChannels({ name: input.value.trim(), page_size: 10, signal: asking.signal })).result;
        if (dialog.open) draw();
      } catch { /* What is known already is shown. */ }
    }, TYPING_MS);
  });
  input.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && hits.length > 0) { event.preventDefault(); at = (at + step + hits.length) % hits.length; mark(); }
    if (event.key === 'Enter' && !event.isComposing) { event.preventDefault(); go(at); }
  });
  const { dialog, close } = openDialog({ title: 'Quick switcher', bare: true, body: [h('div.switcher', null, input, list)], onclose: () => { clearTimeout(timer); asking.abort(); } });
  input.focus();
  draw();
}

/**
 * @param {App} app
 * @param {import('/client/index.js').ChatView[]} order
 * @param {string} typed
 * @param {import('/client/index.js').Chat[]} channels
 * @returns {Hit[]}
 */
function find(app, order, typed, channels) {
  const { store } = app;
  const open = app.place().chat;
  const chats = order.filter((view) => typed ? matches(typed, chatName(store, view)) : view.id !== open).map((view) => ({
    name: chatName(store, view), note: kindName(view.chat.type), face: chatAvatar(store, view, 26), unread: view.unread,
    act: () => { app.openChat(view.id); app.focusComposer(); },
  }));
  if (!typed) return chats.sort((a, b) => Number(b.unread > 0) - Number(a.unread > 0)).slice(0, HITS_MAX);
  const known = new Set(order.map((view) => otherOf(store, view)));
  const people = colleagues(store, (id) => known.has(id)).filter((agent) => matches(typed, agent.name, agent.username)).map((agent) => ({
    name: nameOf(store, agent.id), note: 'Write to', face: avatarOf(store, agent.id, { size: 26, status: true }), unread: 0, act: () => openDirect(app, agent.id),
  }));
  const more = channels.filter((chat) => !store.chats.has(chat.id)).map((chat) => ({
    name: chat.name, note: `Join · ${counted(chat.member_count, 'member')}`, face: kindAvatar('talk', 26), unread: 0,
    act: () => { app.store.join(chat.id).then(() => { app.openChat(chat.id); app.focusComposer(); }, app.failed); },
  }));
  const begins = (/** @type {Hit} */ { name }) => (folded(name).startsWith(folded(typed)) ? 0 : 1);
  return [...chats, ...people, ...more].sort((a, b) => begins(a) - begins(b)).slice(0, HITS_MAX);
}
