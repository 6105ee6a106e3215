// The browser of public channels: search as you type, join, open.
// @ts-check
import { fill, h } from './dom.js';
import { openDialog } from './dialogs.js';
import { newChat } from './newchat.js';
import { explain } from './notices.js';
import { kindAvatar } from './people.js';
import { counted } from './text.js';

/** @typedef {import('./app.js').App} App */

const TYPING_MS = 180;

/** @param {App} app */
export function browseChannels(app) {
  const search = h('input.input', { type: 'search', placeholder: 'Search channels', 'aria-label': 'Search channels', autocomplete: 'off', autofocus: true });
  const list = h('ul.people.tall');
  const more = h('button.button.plain.wide', { type: 'button', hidden: true, onclick: () => void load(true) }, 'Show more');
  const state = h('p.note.empty', { role: 'status' });
  let token = '';
  let asking = new AbortController();
  /** @param {boolean} on */
  const load = async (on) => {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    if (!on) { state.textContent = list.childElementCount === 0 ? 'Loading' : ''; token = ''; }
    try {
      const page = await app.calls.listChannels({ name: search.value.trim(), page_size: 50, page_token: token, signal });
      if (!on) fill(list);
      for (const chat of page.result) list.append(channel(app, chat, () => close()));
      token = page.next_page_token;
      more.hidden = page.result.length < 50;
      state.textContent = list.childElementCount > 0 ? '' : search.value.trim() ? 'No channel has that name.' : 'There are no channels yet. Make the first one.';
    } catch (error) {
      if (!signal.aborted) fill(state, explain(error), ' ', h('button.link-button', { type: 'button', onclick: () => void load(on) }, 'Try again'));
    }
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  search.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => void load(false), TYPING_MS);
  });
  const make = h('button.button', { type: 'button', onclick: () => { close(); newChat(app, 'talk'); } }, 'New channel');
  const { close } = openDialog({ title: 'Channels', wide: true, body: [h('div.two', null, search, make), list, state, more], onclose: () => asking.abort() });
  search.focus();
  void load(false);
}

/**
 * @param {App} app
 * @param {import('/client/index.js').Chat} chat
 * @param {() => void} close
 */
function channel(app, chat, close) {
  const joined = app.store.chats.has(chat.id);
  const name = chat.name || 'Channel without a name';
  const go = h('button.button', {
    type: 'button', class: joined ? 'plain' : '', 'aria-label': `${joined ? 'Open' : 'Join'} ${name}`,
    onclick: async () => {
      go.disabled = true;
      try {
        if (!joined) await app.store.join(chat.id);
        close();
        app.openChat(chat.id);
        app.focusComposer();
      } catch (error) {
        go.disabled = false;
        app.failed(error);
      }
    },
  }, joined ? 'Open' : 'Join');
  return h('li.person', null, kindAvatar('talk', 32),
    h('span.card-text', null, h('bdi.cut', null, name),
      h('span.note.cut', { dir: 'auto' }, [counted(chat.member_count, 'member'), joined && 'joined', chat.detail].filter(Boolean).join(' · '))), go);
}
