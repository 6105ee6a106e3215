// Oneself, at the foot of the list: status, look of the page, notifications, keys, sign out.
// @ts-check
import { fill, h, icon, iconButton } from './dom.js';
import { field, openForm, openMenu } from './dialogs.js';
import { showKeys } from './keys.js';
import { nextLook, lookName, setLook } from './look.js';
import { explain } from './notices.js';
import { askForNotifications, notificationState, stopNotifications } from './notify.js';
import { STATUSES, avatarOf, dotOf, nameOf, statusOf } from './people.js';

/** @typedef {import('./app.js').App} App */

export class StatusMenu {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.button = h('button.me', { type: 'button', 'aria-haspopup': 'menu', onclick: () => this.#open() });
    this.keys = iconButton('keys', 'Keys', { onclick: () => showKeys() });
    this.element = h('footer.own', null, this.button, this.keys);
    this.draw();
  }

  draw() {
    const { store } = this.app;
    const id = store.me?.id ?? '';
    const status = STATUSES[statusOf(store, id)];
    fill(this.button, avatarOf(store, id, { size: 30, status: true }),
      h('span.card-text', null, h('bdi.cut', null, nameOf(store, id)), h('span.note.cut', null, status)), h('span.heard', null, 'Own menu'), icon('up'));
  }

  #open() {
    const { app } = this;
    const now = statusOf(app.store, app.store.me?.id ?? '');
    const state = notificationState();
    openMenu(this.button, 'Own menu', [
      ...Object.entries(STATUSES).map(([status, label]) => ({
        label, mark: dotOf(status), checked: status === now, act: () => { app.calls.updateMyStatus(status).catch(app.failed); },
      })),
      null,
      { label: 'Edit profile', icon: 'pencil', act: () => this.#edit() },
      { label: `Look: ${lookName()}`, icon: lookName() === 'Dark' ? 'moon' : 'sun', act: () => setLook(nextLook()) },
      state === 'on' ? { label: 'Stop desktop notifications', icon: 'bell', act: stopNotifications }
        : { label: state === 'denied' ? 'Notifications are blocked by the browser' : 'Notify me on the desktop', icon: 'bell', act: () => void askForNotifications() },
      { label: 'Keys', icon: 'keys', act: () => showKeys() },
      null,
      { label: 'Sign out', icon: 'leave', act: () => app.signOut() },
    ]);
  }

  #edit() {
    const { me } = this.app.store;
    const name = h('input.input', { maxlength: 255, dir: 'auto', autocomplete: 'name', value: me?.name ?? '' });
    const detail = h('input.input', { maxlength: 255, dir: 'auto', autocomplete: 'off', value: me?.detail ?? '' });
    openForm({
      title: 'Your profile', act: 'Save', explain,
      fields: [field('Name', name), field('About you', detail, 'Shown beside your name, for instance where you are found.')],
      submit: () => this.app.calls.updateMe({ name: name.value.trim(), detail: detail.value.trim() }),
    });
  }
}
