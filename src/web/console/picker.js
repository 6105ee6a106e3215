// The emoji picker: recent ones first, search by name, everything by the arrow keys.
// @ts-check
import { h, fill } from './dom.js';
import { floating } from './dialogs.js';
import { EMOJI, GROUPS } from './emoji.js';
import { keep, kept } from './kept.js';

const RECENT = 'emoji';
const RECENT_MAX = 24;
const FIRST = ['👍', '❤️', '😂', '🎉', '👀', '✅', '🙏', '🔥'];
const COLUMNS = 9;

/** The emoji used last, newest first. @returns {string[]} */
export function recentEmoji() {
  try {
    const used = JSON.parse(kept(RECENT) ?? '[]');
    const good = Array.isArray(used) ? used.filter((one) => typeof one === 'string' && one.length <= 40) : [];
    return [...new Set([...good, ...FIRST])].slice(0, RECENT_MAX);
  } catch {
    return FIRST;
  }
}

/** @param {string} emoji */
function remember(emoji) {
  keep(RECENT, JSON.stringify([emoji, ...recentEmoji().filter((one) => one !== emoji)].slice(0, RECENT_MAX)));
}

/**
 * Emoji whose name has every word of what was typed.
 * @param {string} typed
 * @param {number} most
 */
export function findEmoji(typed, most) {
  const words = typed.toLowerCase().split(/\s+/u).filter(Boolean);
  const hits = EMOJI.filter(({ name }) => words.every((word) => name.includes(word)));
  const begins = (/** @type {string} */ name) => (name.split(' ').some((part) => part.startsWith(words[0] ?? '')) ? 0 : 1);
  return hits.sort((a, b) => begins(a.name) - begins(b.name)).slice(0, most);
}

/**
 * Lets somebody pick one.
 * @param {HTMLElement} anchor
 * @param {(emoji: string) => void} picked
 */
export function openPicker(anchor, picked) {
  if (anchor.getAttribute('aria-expanded') === 'true') return;
  const search = h('input.input', { type: 'search', placeholder: 'Search emoji', 'aria-label': 'Search emoji', autocomplete: 'off', spellcheck: 'false' });
  const shown = h('span.note.cut');
  const list = h('div.emoji-list.scrolls', { role: 'group', 'aria-label': 'Emoji' });
  const box = h('div.picker', { role: 'dialog', 'aria-label': 'Pick an emoji' }, search, list, h('div.picker-foot', { 'aria-hidden': 'true' }, shown));
  const close = floating(anchor, box);
  const pick = (/** @type {string} */ emoji) => { remember(emoji); close(true); picked(emoji); };
  const show = () => fill(list, sections(search.value.trim()));
  list.addEventListener('click', (event) => {
    const emoji = event.target instanceof Element ? event.target.closest('button')?.dataset.emoji : undefined;
    if (emoji) pick(emoji);
  });
  for (const kind of ['pointerover', 'focusin']) {
    list.addEventListener(kind, (event) => {
      const button = event.target instanceof Element ? event.target.closest('button') : null;
      if (button) shown.textContent = `${button.dataset.emoji} ${button.getAttribute('aria-label')}`;
    });
  }
  search.addEventListener('input', show);
  box.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') close(true);
    else if (event.key === 'Enter' && event.target === search) {
      event.preventDefault();
      const first = list.querySelector('button')?.dataset.emoji;
      if (first) pick(first);
    } else move(event, search, list);
  });
  show();
  search.focus();
}

/** @param {KeyboardEvent} event @param {HTMLInputElement} search @param {HTMLElement} list */
function move(event, search, list) {
  const buttons = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('button')]);
  const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  if (at < 0 && event.key !== 'ArrowDown') return;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: at < 0 ? 1 : COLUMNS, ArrowUp: -COLUMNS }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const to = at + step;
  if (to < 0) search.focus();
  else buttons[Math.min(to, buttons.length - 1)]?.focus();
}

/** @param {string} typed */
function sections(typed) {
  if (typed) {
    const found = findEmoji(typed, 90);
    return found.length > 0 ? [grid(found)] : [h('p.note.empty', null, 'No emoji has that name.')];
  }
  const names = new Map(EMOJI.map((one) => [one.emoji, one.name]));
  const recent = recentEmoji().map((emoji) => ({ emoji, name: names.get(emoji) ?? 'emoji' }));
  return [h('h3', null, 'Recent'), grid(recent), ...GROUPS.flatMap(({ name, emoji }) => [h('h3', null, name), grid(emoji)])];
}

/** @param {{ emoji: string, name: string }[]} emoji */
function grid(emoji) {
  return h('div.emoji-grid', null, emoji.map((one) => h('button', {
    type: 'button', tabindex: '-1', 'data-emoji': one.emoji, 'aria-label': one.name, title: one.name,
  }, one.emoji)));
}
