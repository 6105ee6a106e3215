// What the console tells: short notices at the foot, words for screen readers, and what a failure
// means in plain words with what to do about it.
// @ts-check
import { fill, h, iconButton } from './dom.js';

const SHOWN_MS = 6000;
const NOTICES_MAX = 3;

const shelf = h('div.notices', { role: 'status', 'aria-live': 'polite', popover: 'manual' });
const voice = h('div.heard', { role: 'status', 'aria-live': 'polite', 'aria-atomic': 'false' });

/** The elements that must be in the page. */
export const noticeElements = [shelf, voice];

/**
 * Shows a short notice.
 * @param {string} text
 * @param {{ act?: string, onact?: () => void, wrong?: boolean }} [more]
 */
export function notice(text, { act, onact, wrong = false } = {}) {
  const gone = () => box.remove();
  const box = h('div.notice', { class: wrong ? 'is-wrong' : '' }, h('span', { dir: 'auto' }, text),
    act && h('button.link-button', { type: 'button', onclick: () => { gone(); onact?.(); } }, act),
    iconButton('close', 'Dismiss', { onclick: gone }));
  shelf.append(box);
  // Above dialogs, also above one that was opened later than the last notice.
  if (shelf.matches(':popover-open')) shelf.hidePopover();
  shelf.showPopover();
  while (shelf.childElementCount > NOTICES_MAX) shelf.firstElementChild?.remove();
  setTimeout(gone, wrong ? SHOWN_MS * 2 : SHOWN_MS);
}

/**
 * Says something to screen readers only.
 * @param {string} text
 */
export function announce(text) {
  voice.append(h('p', null, text));
  while (voice.childElementCount > 5) voice.firstElementChild?.remove();
}

/** Takes away all that was said, when somebody signs out. */
export function forgetNotices() {
  fill(shelf);
  fill(voice);
  if (shelf.matches(':popover-open')) shelf.hidePopover();
}

/** What a reason means to somebody who uses the console. @type {Record<string, string>} */
const MEANINGS = {
  INVALID_CREDENTIALS: 'The address or the password is wrong.',
  AUTHENTICATION_REQUIRED: 'Your sign-in ended. Sign in again.',
  PERMISSION_DENIED: 'You may not do that here: you are not, or no longer, a member.',
  CHAT_NOT_FOUND: 'This chat is not there (any more).',
  TALK_MESSAGE_NOT_FOUND: 'This message is not there (any more).',
  PARTICIPANT_NOT_FOUND: 'This person is not in the chat any more.',
  AGENT_NOT_FOUND: 'This person is not there (any more).',
  FILE_NOT_FOUND: 'This file is not there (any more).',
  NOT_IN_MODEL: 'You are not, or no longer, in this chat.',
  TOO_MANY_PENDING: 'Too many messages of this chat wait to be sent. What you wrote is kept: send it when some of them are gone.',
  TOO_MANY_LOADED: 'No more messages of this chat can be shown here.',
  RATE_LIMIT_EXCEEDED: 'That was a lot at once. Wait a moment and try again.',
  SERVICE_UNAVAILABLE: 'The hub cannot do that just now. Try again in a moment.',
  INTERNAL: 'Something went wrong in the hub. Try again; if it stays, tell its operator.',
};

/**
 * A failure in plain words.
 * @param {any} error
 * @returns {string}
 */
export function explain(error) {
  if (error?.name === 'AbortError') return 'Cancelled.';
  const { reason, status, message } = error ?? {};
  if (status === 'NETWORK') return 'The hub cannot be reached. Check your connection and try again.';
  if (status === 'TIMEOUT') return 'The hub did not answer in time. Try again.';
  if (MEANINGS[reason]) return MEANINGS[reason];
  const text = String(message ?? '').trim();
  return text ? `${text.charAt(0).toLocaleUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}` : 'That did not work. Try again.';
}

/**
 * Shows why something failed, unless somebody cancelled it.
 * @param {any} error
 */
export function failed(error) {
  if (error?.name !== 'AbortError') notice(explain(error), { wrong: true });
}
