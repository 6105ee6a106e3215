// What is open, kept in the address of the page, so that reload, back and a second tab work:
// `#/<chat>`, `#/<chat>/thread/<message>`, `#/<chat>/members`.
// @ts-check

const ID = /^[0-9a-f-]{36}$/i;

/**
 * @typedef {object} Place
 * @property {string} chat The open chat, `""` when there is none.
 * @property {'' | 'thread' | 'members'} panel
 * @property {string} message The root of the open thread.
 */

/** @returns {Place} */
export function readPlace() {
  const [, chat = '', panel = '', message = ''] = location.hash.split('/');
  if (!ID.test(chat)) return { chat: '', panel: '', message: '' };
  if (panel === 'thread' && ID.test(message)) return { chat, panel, message };
  return { chat, panel: panel === 'members' ? 'members' : '', message: '' };
}

/**
 * The address of a place.
 * @param {Partial<Place>} place
 */
export function addressOf({ chat = '', panel = '', message = '' }) {
  if (!chat) return '#/';
  return panel === 'thread' ? `#/${chat}/thread/${message}` : `#/${chat}${panel ? `/${panel}` : ''}`;
}

/**
 * Goes to a place. With `instead` the present one is not kept in the history.
 * @param {Partial<Place>} place
 * @param {{ instead?: boolean }} [how]
 */
export function goTo(place, { instead = false } = {}) {
  const address = addressOf(place);
  if (address === location.hash) return;
  if (instead) {
    history.replaceState(null, '', address);
    dispatchEvent(new HashChangeEvent('hashchange'));
  } else {
    location.hash = address;
  }
}
