// What is done with a chat as a whole: its menu, renaming, deleting.
// @ts-check
import { h } from './dom.js';
import { confirm, field, openForm, openMenu } from './dialogs.js';
import { leaveChat } from './members.js';
import { explain, notice } from './notices.js';
import { chatName } from './people.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').ChatView} ChatView */

/** @param {App} app @param {HTMLElement} anchor @param {ChatView} view */
export function chatMenu(app, anchor, view) {
  const direct = view.chat.type === 'direct';
  const closed = Boolean(view.chat.tm_delete);
  openMenu(anchor, 'Chat', [
    { label: 'Show members', icon: 'people', act: () => app.toggleMembers(view.id) },
    ...(closed ? [] : [{ label: direct ? 'Edit name and detail' : 'Rename and describe', icon: 'pencil', act: () => edit(app, view) }]),
    ...(direct || closed ? [] : [{ label: 'Leave', icon: 'leave', act: () => void leaveChat(app, view) }]),
    ...(closed ? [] : [null, { label: 'Delete chat', icon: 'trash', danger: true, act: () => void remove(app, view) }]),
  ]);
}

/** @param {App} app @param {ChatView} view */
function edit(app, view) {
  const name = h('input.input', { maxlength: 255, dir: 'auto', autocomplete: 'off', value: view.chat.name });
  const detail = h('textarea.input', { maxlength: 2000, dir: 'auto', rows: 3, value: view.chat.detail });
  openForm({
    title: 'Name and detail', act: 'Save', explain,
    fields: [field('Name', name), field('What it is about', detail)],
    submit: () => app.calls.updateChat(view.id, { name: name.value.trim(), detail: detail.value.trim() }),
  });
  name.focus();
  name.select();
}

/** @param {App} app @param {ChatView} view */
async function remove(app, view) {
  const name = chatName(app.store, view);
  const sure = await confirm({
    title: `Delete ${name}?`, act: 'Delete chat', text: 'Nobody can write in it any more, and it goes out of everybody\u2019s list. This cannot be undone.',
  });
  if (!sure) return;
  app.calls.deleteChat(view.id).then(() => { app.openChat(''); notice(`${name} was deleted`); }, app.failed);
}
