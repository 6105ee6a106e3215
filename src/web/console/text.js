// What people wrote, turned into nodes: text stays text, and only addresses of the web and of mail
// become links, which learn nothing of this page. Also names, initials and colours of people, and
// what a message is in one line.
// @ts-check
import { h } from './dom.js';

const LINK = /\b(?:https?:\/\/|mailto:|www\.)[^\s<>"'`\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;
/** Links of one message; a text full of them stays quick to show. */
const LINKS_MAX = 100;

const CODE = /```(?:[a-z]*\n)?([^]+?)\n?```\n?|`([^`\n]+)`/giu;
/** Pieces of code of one message. */
const CODES_MAX = 50;

/**
 * The nodes of a text: its links made clickable, what stands between backticks shown as code, and
 * what is searched for marked.
 * @param {string} text
 * @param {string} [searched]
 * @returns {(Node | string)[]}
 */
export function nodesOf(text, searched = '') {
  if (!text.includes('`')) return linked(text, searched);
  /** @type {(Node | string)[]} */
  const nodes = [];
  let from = 0;
  let codes = 0;
  for (const found of text.matchAll(CODE)) {
    if (codes >= CODES_MAX) break;
    if (found.index > from) nodes.push(...linked(text.slice(from, found.index), searched));
    nodes.push(found[1] === undefined ? h('code', null, marked(found[2], searched)) : h('pre', { dir: 'auto' }, h('code', null, marked(found[1], searched))));
    from = found.index + found[0].length;
    codes += 1;
  }
  if (from < text.length) nodes.push(...linked(text.slice(from), searched));
  return nodes;
}

/**
 * @param {string} text
 * @param {string} searched
 * @returns {(Node | string)[]}
 */
function linked(text, searched) {
  /** @type {(Node | string)[]} */
  const nodes = [];
  let from = 0;
  let links = 0;
  for (const found of text.matchAll(LINK)) {
    if (links >= LINKS_MAX) break;
    const shown = withoutTail(found[0]);
    const address = safeAddress(shown.startsWith('www.') || /^www\./i.test(shown) ? `https://${shown}` : shown);
    if (!address) continue;
    if (found.index > from) nodes.push(...marked(text.slice(from, found.index), searched));
    nodes.push(h('a', { href: address, target: '_blank', rel: 'noopener noreferrer', dir: 'ltr' }, ...marked(shown, searched)));
    from = found.index + shown.length;
    links += 1;
  }
  if (from < text.length) nodes.push(...marked(text.slice(from), searched));
  return nodes;
}

/**
 * A link without the punctuation of the sentence around it.
 * @param {string} link
 */
function withoutTail(link) {
  let shown = link.replace(/[.,;:!?*_~]+$/u, '');
  while (/[)\]}]$/.test(shown)) {
    const close = shown.slice(-1);
    const open = { ')': '(', ']': '[', '}': '{' }[close] ?? '(';
    if (shown.split(open).length >= shown.split(close).length) break;
    shown = shown.slice(0, -1).replace(/[.,;:!?]+$/u, '');
  }
  return shown;
}

/**
 * The address if it is one of http, https or mailto, and of nothing else; otherwise null.
 * @param {string | undefined} text
 * @returns {string | null}
 */
export function safeAddress(text) {
  if (!text) return null;
  try {
    const url = new URL(text);
    if (url.protocol === 'mailto:') return url.href;
    return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} text
 * @param {string} searched
 * @returns {(Node | string)[]}
 */
function marked(text, searched) {
  if (!searched) return [text];
  const [plain, wanted] = [folded(text), folded(searched)];
  // Folding may change the length of rare letters; then nothing is marked rather than the wrong part.
  if (!wanted || plain.length !== text.length) return [text];
  /** @type {(Node | string)[]} */
  const nodes = [];
  let from = 0;
  for (let at = plain.indexOf(wanted); at >= 0; at = plain.indexOf(wanted, from)) {
    if (at > from) nodes.push(text.slice(from, at));
    nodes.push(h('mark', null, text.slice(at, at + wanted.length)));
    from = at + wanted.length;
  }
  if (from < text.length) nodes.push(text.slice(from));
  return nodes;
}

/**
 * A text as it is compared in searches.
 * @param {string} text
 */
export function folded(text) {
  return text.toLocaleLowerCase();
}

/**
 * Whether every word of what was typed begins or is inside one of the texts.
 * @param {string} typed
 * @param {...string} texts
 */
export function matches(typed, ...texts) {
  const all = folded(texts.join(' \n '));
  return folded(typed).split(/\s+/u).every((word) => all.includes(word));
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const EMOJI = /^(?:\p{RGI_Emoji}|\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator})/v;

/**
 * How many emoji the text is made of if it is made of nothing else and there are at most `most`;
 * otherwise 0.
 * @param {string} text
 */
export function onlyEmoji(text, most = 8) {
  const bare = text.trim();
  if (!bare || bare.length > most * 40) return 0;
  let count = 0;
  for (const { segment } of graphemes.segment(bare)) {
    if (/^\s+$/u.test(segment)) continue;
    if (!EMOJI.test(segment)) return 0;
    count += 1;
    if (count > most) return 0;
  }
  return count;
}

/**
 * One or two letters for an avatar.
 * @param {string} name
 */
export function initials(name) {
  const words = name.trim().split(/[\s@._-]+/u).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : undefined]
    .map((word) => (word ? [...graphemes.segment(word)][0]?.segment ?? '' : ''))
    .map((letter) => (letter.length > 12 ? '' : letter));
  return letters.join('').toLocaleUpperCase() || '?';
}

/**
 * A hue for somebody, always the same.
 * @param {string} id
 */
export function hueOf(id) {
  let sum = 7;
  for (let place = 0; place < id.length; place += 1) sum = (sum * 31 + id.charCodeAt(place)) >>> 0;
  return (sum % 24) * 15;
}

/**
 * `1 reply`, `2 replies`.
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/**
 * Names as a sentence has them: `Ann`, `Ann and Ben`, `Ann, Ben and 3 more`.
 * @param {string[]} names
 * @param {number} [most]
 */
export function listed(names, most = 3) {
  if (names.length <= 1) return names[0] ?? '';
  if (names.length <= most) return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
  return `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;
}

/**
 * Text on one line, cut: for lists and previews.
 * @param {string} text
 */
export function oneLine(text) {
  return text.slice(0, 300).replace(/\s+/gu, ' ').trim();
}
