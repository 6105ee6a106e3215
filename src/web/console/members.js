// The panel of a chat's members: who is in it, how they can be reached; add, remove, leave.
// @ts-check
import { fill, h, icon, iconButton, say } from './dom.js';
import { confirm } from './dialogs.js';
import { pickPeople } from './newchat.js';
import { explain, notice } from './notices.js';
import { STATUSES, avatarOf, chatName, nameOf, statusOf } from './people.js';
import { counted, matches } from './text.js';

/** @typedef {import('./app.js').App} App */

/** Rows in the page at most; more are found by the filter. */
const SHOWN_MAX = 200;
const ORDER = ['available', 'ringing', 'busy', 'away', 'offline'];

export class MembersPanel {
  #chat = '';

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.title = h('h2', null, 'Members');
    this.filter = h('input.input', { type: 'search', placeholder: 'Filter members', 'aria-label': 'Filter members', oninput: () => this.draw() });
    this.list = h('ul.people');
    this.acts = h('div.panel-acts');
    this.element = h('section.panel-body', { 'aria-label': 'Members' },
      h('header.bar', null, iconButton('back', 'Back to the chat', { class: 'back', onclick: () => app.closePanel() }),
        h('div.names', null, this.title), h('span.gap'),
        iconButton('close', 'Close members', { class: 'shut', onclick: () => app.closePanel() })),
      this.acts, h('div.scrolls.panel-scroll', { tabindex: '-1' }, this.list));
  }

  /** @param {string} chat */
  show(chat) {
    if (chat !== this.#chat) this.filter.value = '';
    this.#chat = chat;
    this.draw();
  }

  /** @param {import('/client/index.js').Changes} changes */
  changed(changes) {
    const change = changes.chats.get(this.#chat);
    if (changes.list || changes.agents.size > 0 || change?.members || change?.facts || !this.app.store.chats.has(this.#chat)) this.draw();
  }

  draw() {
    const view = this.app.store.chats.get(this.#chat);
    if (!view) return this.#nobody();
    const { store } = this.app;
    say(this.title, counted(view.chat.member_count, 'member'));
    const closed = view.chat.type === 'direct' || Boolean(view.chat.tm_delete);
    const key = `${view.id} ${closed} ${(view.members?.size ?? 0) > 8}`;
    if (this.acts.dataset.key !== key) {
      this.acts.dataset.key = key;
      fill(this.acts, (view.members?.size ?? 0) > 8 && this.filter,
        !closed && h('div.two', null,
          h('button.button', { type: 'button', onclick: () => this.#add() }, icon('plus'), 'Add people'),
          h('button.button.plain', { type: 'button', onclick: () => void leaveChat(this.app, view) }, icon('leave'), 'Leave')));
    }
    if (!view.members) return fill(this.list, h('li.note.empty', null, view.error ? explain(view.error) : 'Loading'));
    const typed = this.filter.value.trim();
    const people = [...view.members.values()]
      .map((member) => ({ member, name: nameOf(store, member.owner_id), status: statusOf(store, member.owner_id) }))
      .filter(({ name }) => !typed || matches(typed, name))
      .sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || a.name.localeCompare(b.name));
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.person : undefined;
    fill(this.list, people.slice(0, SHOWN_MAX).map((one) => this.#person(view, one, closed)),
      people.length > SHOWN_MAX && h('li.note.empty', null, `${(people.length - SHOWN_MAX).toLocaleString()} more: use the filter`),
      people.length === 0 && h('li.note.empty', null, 'Nobody has that name here'));
    if (focused) /** @type {HTMLElement | null} */ (this.list.querySelector(`[data-person="${CSS.escape(focused)}"]`))?.focus();
  }

  /** Of a chat that one is not in, or not any more, nothing is told and nothing can be done. */
  #nobody() {
    const focused = this.element.contains(document.activeElement);
    say(this.title, 'Members');
    delete this.acts.dataset.key;
    fill(this.acts);
    fill(this.list, h('li.note.empty', null, 'Only who is in this chat sees its members'));
    if (focused && !this.element.contains(document.activeElement)) /** @type {HTMLElement | null} */ (this.element.querySelector('.shut'))?.focus();
  }

  /**
   * @param {import('/client/index.js').ChatView} view
   * @param {{ member: import('/client/index.js').Participant, name: string, status: string }} one
   * @param {boolean} closed
   */
  #person(view, { member, name, status }, closed) {
    const { store } = this.app;
    const agent = store.agents.get(member.owner_id);
    const own = member.owner_id === store.me?.id;
    return h('li.person', null, avatarOf(store, member.owner_id, { size: 30, status: true }),
      h('span.card-text', null, h('span.cut', null, h('bdi', null, name), own && h('span.note', null, ' (you)')),
        h('span.note.cut', { dir: 'auto' }, [STATUSES[status], agent?.detail].filter(Boolean).join(' · '))),
      !own && view.chat.type !== 'direct' && iconButton('bubble', `Write to ${name}`, {
        'data-person': `w${member.id}`, onclick: () => openDirect(this.app, member.owner_id),
      }),
      !own && !closed && iconButton('close', `Remove ${name}`, { 'data-person': `r${member.id}`, onclick: () => void this.#remove(view, member, name) }));
  }

  #add() {
    const view = this.app.store.chats.get(this.#chat);
    if (!view) return;
    pickPeople(this.app, {
      title: `Add people to ${chatName(this.app.store, view)}`, act: 'Add',
      without: (id) => Boolean(view.members?.has(id)),
      picked: async (ids) => {
        for (const id of ids) await this.app.calls.addParticipant(view.id, { owner_type: 'agent', owner_id: id });
        notice(`${counted(ids.length, 'person', 'people')} added`);
      },
    });
  }

  /** @param {import('/client/index.js').ChatView} view @param {import('/client/index.js').Participant} member @param {string} name */
  async #remove(view, member, name) {
    const sure = await confirm({ title: `Remove ${name}?`, text: `${name} can no longer read or write in ${chatName(this.app.store, view)}.`, act: 'Remove' });
    if (sure) this.app.calls.removeParticipant(view.id, member.id).catch(this.app.failed);
  }
}

/** Opens the direct chat with somebody, made if need be. @param {App} app @param {string} agent */
export function openDirect(app, agent) {
  app.store.createChat({ type: 'direct', participants: [{ owner_type: 'agent', owner_id: agent }] })
    .then((view) => { app.openChat(view.id); app.focusComposer(); }, app.failed);
}

/** @param {App} app @param {import('/client/index.js').ChatView} view */
export async function leaveChat(app, view) {
  const name = chatName(app.store, view);
  const sure = await confirm({
    title: `Leave ${name}?`, act: 'Leave',
    text: view.chat.type === 'talk' ? 'You can join again at any time.' : 'Only somebody who is in the group can add you again.',
  });
  if (sure) app.store.leave(view.id).then(() => { app.openChat(''); notice(`You left ${name}`); }, app.failed);
}
