// What is told outside the messages: the title and the icon of the page with what is unread, and,
// for who wants it, notifications of the desktop. Of several tabs only one notifies.
// @ts-check
import { keep, kept } from './kept.js';
import { announce, notice } from './notices.js';
import { chatName, gistOf, nameOf } from './people.js';

/** @typedef {import('./app.js').App} App */

const WANTED = 'notify';
const SHOWN_MS = 8000;
/** In which another tab, where it is being read, says so. */
const GLANCE_MS = 1000;

/** @returns {'on' | 'off' | 'denied'} */
export function notificationState() {
  if (!('Notification' in window) || Notification.permission === 'denied') return 'denied';
  return Notification.permission === 'granted' && kept(WANTED) === '1' ? 'on' : 'off';
}

export async function askForNotifications() {
  if (notificationState() === 'denied') {
    notice('Allow notifications for this page in the browser first.', { wrong: true });
    return;
  }
  if (await Notification.requestPermission() !== 'granted') return;
  keep(WANTED, '1');
  notice('You are notified of messages while you look elsewhere.');
}

export function stopNotifications() {
  keep(WANTED, null);
  notice('Desktop notifications are off.');
}

export class Notifier {
  /** Newest message that was told, by chat. @type {Map<string, number>} */ #told = new Map();
  #badge = -1;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.icon = /** @type {HTMLLinkElement | null} */ (document.querySelector('link[rel="icon"]'));
    this.plain = this.icon?.href ?? '';
  }

  /** Everything until now is old. */
  begin() {
    for (const view of this.app.store.chats.values()) {
      this.#told.set(view.id, view.chat.seq);
      this.#keep(view);
    }
  }

  /** @param {import('/client/index.js').ChatView} view */
  #keep(view) {
    const seq = view.newest?.message.seq;
    if (seq !== undefined && Number.isFinite(seq)) this.#told.set(view.id, Math.max(seq, this.#told.get(view.id) ?? 0));
  }

  /** @param {import('/client/index.js').Changes} changes */
  changed(changes) {
    for (const id of changes.list ? this.app.store.chats.keys() : changes.chats.keys()) {
      const view = this.app.store.chats.get(id);
      if (!view?.newest) continue;
      // Of a chat that came since, everything that was not read is news.
      const before = this.#told.get(id) ?? view.readSeq;
      this.#keep(view);
      const { message, state } = view.newest;
      if (state !== 'sent' || message.seq <= before || message.tm_delete) continue;
      if (message.owner_id !== this.app.store.me?.id) this.#tell(view, message);
    }
  }

  /** @param {import('/client/index.js').ChatView} view @param {import('/client/index.js').Message} message */
  #tell(view, message) {
    const open = this.app.place().chat === view.id;
    const who = message.type === 'system' || view.chat.type === 'direct' ? '' : `${nameOf(this.app.store, message.owner_id)}: `;
    if (open) announce(`${who || `${chatName(this.app.store, view)}: `}${gistOf(message)}`);
    if (message.type === 'system' || (open && document.hasFocus()) || notificationState() !== 'on') return;
    setTimeout(() => this.#show(view, message, `${who}${gistOf(message)}`), GLANCE_MS);
  }

  /** @param {import('/client/index.js').ChatView} view @param {import('/client/index.js').Message} message @param {string} body */
  #show(view, message, body) {
    // Perhaps it was read meanwhile, in another tab.
    if (this.app.signal.aborted || message.seq <= view.readSeq) return;
    // The tag makes one of the notifications of several tabs.
    const shown = new Notification(chatName(this.app.store, view), { body, tag: message.id, icon: this.plain });
    shown.onclick = () => { window.focus(); this.app.openChat(view.id); shown.close(); };
    setTimeout(() => shown.close(), SHOWN_MS);
  }

  /** @param {{ messages: number, more: boolean }} unread @param {string} chat */
  title({ messages, more }, chat) {
    const count = messages > 0 ? `(${messages}${more ? '+' : ''}) ` : '';
    const text = `${count}${chat ? `${chat} – ` : ''}${this.app.hubName || 'Talk'}`;
    if (document.title !== text) document.title = text;
    const badge = Math.min(messages, 100);
    if (badge !== this.#badge) this.#draw(badge);
    this.#badge = badge;
  }

  /** @param {number} count */
  #draw(count) {
    if (!this.icon) return;
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 32;
    const pen = canvas.getContext('2d');
    if (count === 0 || !pen) { this.icon.href = this.plain; return; }
    pen.fillStyle = '#5454cf';
    pen.beginPath();
    pen.roundRect(0, 0, 32, 32, 8);
    pen.fill();
    pen.fillStyle = '#fff';
    pen.font = `700 ${count > 9 ? 17 : 21}px system-ui, sans-serif`;
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.fillText(count > 99 ? '99' : String(count), 16, 17);
    this.icon.href = canvas.toDataURL('image/png');
  }
}
