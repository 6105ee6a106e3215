// The keys that work everywhere, and the sheet that shows all of them.
// @ts-check
import { h } from './dom.js';
import { closeFloating, openDialog } from './dialogs.js';

const MAC = /mac|iphone|ipad/i.test(navigator.userAgent);
const MAIN = MAC ? '⌘' : 'Ctrl';
const ALT = MAC ? '⌥' : 'Alt';

/** @type {[string, [string[], string][]][]} */
const SHEET = [
  ['Everywhere', [
    [[MAIN, 'K'], 'Find a chat, a person or a channel'],
    [[ALT, '↑'], 'Chat above'],
    [[ALT, '↓'], 'Chat below'],
    [[ALT, 'Shift', '↓'], 'Next unread chat'],
    [[MAIN, 'Shift', 'F'], 'Search in the chat'],
    [[MAIN, 'Shift', 'M'], 'Members'],
    [['F6'], 'Next part of the page'],
    [['Esc'], 'Close what is open'],
    [['?'], 'This sheet'],
  ]],
  ['While writing', [
    [['Enter'], 'Send'],
    [['Shift', 'Enter'], 'New line'],
    [['↑'], 'To the messages, when nothing is written'],
  ]],
  ['On a message', [
    [['↑', '↓'], 'Message before, after'],
    [['R'], 'Reply in a thread'],
    [['E'], 'React'],
    [['C'], 'Copy its text'],
    [['Delete'], 'Delete one\u2019s own'],
    [['Tab'], 'Its links and buttons'],
    [['End'], 'Newest message'],
  ]],
];

export function showKeys() {
  if (document.querySelector('dialog[open] .keys-sheet')) return;
  openDialog({
    title: 'Keys', wide: true,
    body: [h('div.keys-sheet', null, SHEET.map(([name, rows]) => h('section', null, h('h3', null, name),
      h('dl', null, rows.map(([keys, what]) => h('div', null, h('dt', null, what), h('dd', null, keys.map((key) => h('kbd', null, key)))))))))],
  });
}

/** @param {EventTarget | null} target */
function writes(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|INPUT|SELECT)$/.test(target.tagName));
}

/**
 * Listens for the keys of the whole page.
 * @param {{ find: () => void, step: (by: number, unread: boolean) => void, search: () => void, members: () => void,
 *   part: (by: number) => void, escape: () => void }} acts
 * @returns {() => void} Ends it.
 */
export function listenToKeys(acts) {
  const pressed = (/** @type {KeyboardEvent} */ event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const main = MAC ? event.metaKey : event.ctrlKey;
    const act = main && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k' ? acts.find
      : main && event.shiftKey && event.key.toLowerCase() === 'f' ? acts.search
        : main && event.shiftKey && event.key.toLowerCase() === 'm' ? acts.members
          : event.altKey && !main && event.key === 'ArrowUp' ? () => acts.step(-1, event.shiftKey)
            : event.altKey && !main && event.key === 'ArrowDown' ? () => acts.step(1, event.shiftKey)
              : event.key === 'F6' ? () => acts.part(event.shiftKey ? -1 : 1)
                : event.key === 'Escape' ? () => { if (!closeFloating()) acts.escape(); }
                  : event.key === '?' && !writes(event.target) ? showKeys : null;
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener('keydown', pressed);
  return () => document.removeEventListener('keydown', pressed);
}
