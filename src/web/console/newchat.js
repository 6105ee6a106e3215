// Making chats: direct, group and public channel, and the picker of people that others use too.
// @ts-check
import { fill, h, iconButton } from './dom.js';
import { field, openForm } from './dialogs.js';
import { explain } from './notices.js';
import { STATUSES, avatarOf, colleagues, nameOf, statusOf } from './people.js';
import { matches } from './text.js';

/** @typedef {import('./app.js').App} App */

const SHOWN_MAX = 100;
const NAME_MAX = 255;
const DETAIL_MAX = 2000;

/**
 * A list of people with a filter, of whom one or several are chosen.
 * @param {App} app
 * @param {{ several: boolean, without?: (id: string) => boolean, chosen?: () => void }} how
 */
export function peopleField(app, { several, without, chosen }) {
  /** @type {Set<string>} */
  const ids = new Set();
  const filter = h('input.input', { type: 'search', placeholder: 'Type a name', 'aria-label': 'Find people', autocomplete: 'off', autofocus: true });
  const tags = h('div.tags', { hidden: true });
  const list = h('div.choices.scrolls', { role: 'group', 'aria-label': 'People' });
  const choose = (/** @type {string} */ id) => {
    if (!several) ids.clear();
    if (ids.has(id)) ids.delete(id);
    else ids.add(id);
    draw();
    chosen?.();
  };
  const draw = () => {
    const people = colleagues(app.store, without).filter((agent) => !filter.value.trim() || matches(filter.value.trim(), agent.name, agent.username));
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.agent : undefined;
    fill(list, people.slice(0, SHOWN_MAX).map((agent) => h('label.choice', null,
      h('input', { type: several ? 'checkbox' : 'radio', name: 'person', checked: ids.has(agent.id), 'data-agent': agent.id, onchange: () => choose(agent.id) }),
      avatarOf(app.store, agent.id, { size: 28, status: true }),
      h('span.card-text', null, h('bdi.cut', null, nameOf(app.store, agent.id)), h('span.note.cut', null, `${agent.username} · ${STATUSES[statusOf(app.store, agent.id)]}`)))),
    people.length > SHOWN_MAX && h('p.note.empty', null, `${(people.length - SHOWN_MAX).toLocaleString()} more: type a name`),
    people.length === 0 && h('p.note.empty', null, filter.value ? 'Nobody has that name.' : 'There is nobody else to choose.'));
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[data-agent="${CSS.escape(focused)}"]`))?.focus();
    tags.hidden = !several || ids.size === 0;
    fill(tags, [...ids].map((id) => h('span.tag', null, h('bdi.cut', null, nameOf(app.store, id)), iconButton('close', `Take out ${nameOf(app.store, id)}`, { onclick: () => choose(id) }))));
  };
  filter.addEventListener('input', draw);
  filter.addEventListener('keydown', (event) => {
    const boxes = /** @type {HTMLInputElement[]} */ ([...list.querySelectorAll('input')]);
    if (event.key === 'ArrowDown') { event.preventDefault(); boxes[0]?.focus(); }
    if (event.key === 'Enter' && filter.value.trim() && boxes[0]) {
      event.preventDefault();
      choose(boxes[0].dataset.agent ?? '');
      filter.value = '';
      draw();
    }
  });
  draw();
  // As high as all of them, whatever the filter leaves: nothing moves while one types.
  list.style.height = `${Math.max(90, Math.min(224, colleagues(app.store, without).length * 46))}px`;
  return { element: h('div.people-field', null, tags, filter, list), ids };
}

/**
 * Lets somebody choose people, then acts on them.
 * @param {App} app
 * @param {{ title: string, act: string, without: (id: string) => boolean, picked: (ids: string[]) => Promise<void> }} what
 */
export function pickPeople(app, { title, act, without, picked }) {
  const people = peopleField(app, { several: true, without, chosen: () => { form.go.disabled = people.ids.size === 0; } });
  const form = openForm({ title, act, fields: [people.element], explain, submit: () => picked([...people.ids]) });
  form.go.disabled = true;
}

const TITLES = { direct: 'New direct chat', group: 'New group', talk: 'New public channel' };

/**
 * Makes a chat and opens it.
 * @param {App} app
 * @param {'direct' | 'group' | 'talk'} type
 */
export function newChat(app, type) {
  const direct = type === 'direct';
  const name = h('input.input', { maxlength: NAME_MAX, dir: 'auto', autocomplete: 'off', placeholder: type === 'talk' ? 'deployments' : 'Night shift' });
  const detail = h('textarea.input', { maxlength: DETAIL_MAX, dir: 'auto', rows: 2 });
  const people = peopleField(app, { several: !direct, chosen: () => allow() });
  const allow = () => { form.go.disabled = direct ? people.ids.size === 0 : type === 'talk' && name.value.trim() === ''; };
  name.addEventListener('input', allow);
  const fields = direct ? [people.element] : [
    field('Name', name, type === 'talk' ? 'Everybody can find and join it by this name.' : 'May be left empty: it is called after its members then.'),
    field('What it is about', detail),
    h('div.field', null, h('span.label', null, 'People'), people.element),
  ];
  const form = openForm({
    title: TITLES[type], act: direct ? 'Write' : 'Create', fields, explain,
    submit: async () => {
      const participants = [...people.ids].map((id) => ({ owner_type: /** @type {const} */ ('agent'), owner_id: id }));
      const view = await app.store.createChat(direct ? { type, participants } : { type, name: name.value.trim(), detail: detail.value.trim(), participants });
      app.openChat(view.id);
      setTimeout(() => app.focusComposer());
    },
  });
  allow();
  if (!direct) name.focus();
}
