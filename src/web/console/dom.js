// A tiny element builder, the only way by which the console makes elements. It promises that text
// stays text: nothing is ever parsed as HTML, addresses that could run are refused, and inline
// style and handler attributes cannot be set.
// @ts-check

/** @typedef {Node | string | number | null | undefined | false} Child */

const SAFE_ADDRESS = /^(?:https?:\/\/|mailto:|blob:|\/(?!\/)|#)/i;
const FORBIDDEN = new Set(['style', 'srcdoc', 'innerHTML', 'outerHTML', 'formaction', 'action', 'xlink:href']);

/**
 * Makes an element. `tag` may carry classes, as in `div.row.wide`. Properties that start with `on`
 * are listeners; `class` adds classes; `true` and `false` set and leave out an attribute.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T | `${T}.${string}`} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = /** @type {HTMLElementTagNameMap[T]} */ (document.createElement(name));
  if (classes.length > 0) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(properties ?? {})) set(element, key, value);
  append(element, children);
  return element;
}

/**
 * Sets one attribute, class or listener.
 * @param {HTMLElement} element
 * @param {string} key
 * @param {any} value
 */
export function set(element, key, value) {
  if (FORBIDDEN.has(key)) throw new TypeError(`${key} is not set here`);
  if (key.startsWith('on')) {
    if (typeof value === 'function') element.addEventListener(key.slice(2), value);
  } else if (key === 'class') {
    for (const one of String(value || '').split(' ')) if (one) element.classList.add(one);
  } else if (key === 'value' || key === 'checked' || key === 'disabled' || key === 'hidden') {
    Reflect.set(element, key, value ?? false);
  } else if (value === null || value === undefined || value === false) {
    element.removeAttribute(key);
  } else {
    if ((key === 'href' || key === 'src') && !SAFE_ADDRESS.test(String(value))) {
      throw new TypeError('an address of this kind is not followed');
    }
    element.setAttribute(key, value === true ? '' : String(value));
  }
}

/**
 * @param {Element} element
 * @param {(Child | Child[])[]} children
 */
export function append(element, children) {
  for (const child of children.flat(2)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Replaces everything inside an element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * Sets the text only when it is another, so that nothing is laid out or announced again.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Brings the children of an element into this order with as few moves as possible.
 * @param {Element} parent
 * @param {Element[]} wanted
 */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of wanted) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/**
 * Calls `act` at most once per frame, however often it is asked.
 * @param {() => void} act
 * @returns {() => void}
 */
export function eachFrame(act) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    const run = () => {
      if (!asked) return;
      asked = false;
      act();
    };
    requestAnimationFrame(run);
    // A tab in the background has no frames, but must not fall behind.
    if (document.hidden) setTimeout(run, 250);
  };
}

const SVG = 'http://www.w3.org/2000/svg';

/** The paths of the icons, on a grid of 16. @type {Record<string, string>} */
const ICONS = {
  hash: 'M6.2 2.5 4.8 13.5M11.2 2.5 9.8 13.5M2.5 5.8h11.2M2.3 10.2h11.2',
  people: 'M6 7.5a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8ZM1.5 13.3c.3-2.5 2-4 4.5-4s4.2 1.5 4.5 4M10.6 7.3a2.2 2.2 0 0 0 0-4.3M11.8 9.5c1.6.4 2.5 1.7 2.7 3.6',
  person: 'M8 7.7a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4ZM2.8 13.7c.4-2.7 2.3-4.3 5.2-4.3s4.8 1.6 5.2 4.3',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM13.5 13.5l-3.2-3.2',
  close: 'M4 4l8 8M12 4l-8 8',
  back: 'M9.8 3.5 5.3 8l4.5 4.5',
  down: 'M8 3v10M3.8 8.8 8 13l4.2-4.2',
  up: 'M4 10l4-4 4 4',
  below: 'M4 6l4 4 4-4',
  reply: 'M6.5 3.5 2.5 7.5l4 4M2.5 7.5h6.5a4.5 4.5 0 0 1 4.5 4.5v.8',
  thread: 'M2.5 4.5c0-1 .7-1.7 1.7-1.7h7.6c1 0 1.7.7 1.7 1.7v4.8c0 1-.7 1.7-1.7 1.7H7.5L4.6 13.4v-2.4h-.4c-1 0-1.7-.7-1.7-1.7ZM5.5 5.8h5M5.5 8.2h3.2',
  smile: 'M8 14a6 6 0 1 0 0-12 6 6 0 0 0 0 12ZM5.5 9.3c.5 1 1.4 1.6 2.5 1.6s2-.6 2.5-1.6M6 6.2v.3M10 6.2v.3',
  clip: 'M13 7.5 8 12.4a3.2 3.2 0 0 1-4.5-4.5l5.3-5.2a2.1 2.1 0 0 1 3 3L6.6 10.9a1 1 0 0 1-1.5-1.5L9.7 4.9',
  send: 'M2.8 3.2 13.5 8 2.8 12.8l1.5-4.8ZM4.3 8h4.5',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  trash: 'M3 4.5h10M6.5 4.5v-1.3c0-.4.3-.7.7-.7h1.6c.4 0 .7.3.7.7v1.3M4.5 4.5l.6 8c0 .6.5 1 1 1h3.8c.5 0 1-.4 1-1l.6-8',
  pencil: 'M3 13l.6-2.7 7-7a1.5 1.5 0 0 1 2.1 2.1l-7 7ZM9.5 4.5l2 2',
  copy: 'M5.5 5.5h7v7.5h-7ZM10.5 5.5v-2.5h-7v7.5h2',
  file: 'M4 2.5h5l3 3v8H4ZM9 2.5v3h3',
  save: 'M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.2h10',
  picture: 'M2.5 3.5h11v9h-11ZM2.5 10.5l3-3 3 3 2-2 3 3M10.5 6.2h.01',
  bell: 'M4.2 7a3.8 3.8 0 0 1 7.6 0c0 3.2 1.2 4 1.2 4H3s1.2-.8 1.2-4M6.8 13.3a1.4 1.4 0 0 0 2.4 0',
  moon: 'M13 9.3A5.5 5.5 0 0 1 6.7 3a5.5 5.5 0 1 0 6.3 6.3Z',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9',
  keys: 'M2 4.5h12v7.5H2ZM4.5 7h.01M7 7h.01M9.5 7h.01M12 7h.01M5 9.7h6',
  leave: 'M9.5 3H4v10h5.5M7 8h6.5M11.2 5.7 13.5 8l-2.3 2.3',
  check: 'M3.5 8.5l3 3 6-7',
  clock: 'M8 14a6 6 0 1 0 0-12 6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.5',
  warn: 'M8 2.8 14 13H2ZM8 6.8v2.7M8 11.3v.01',
  again: 'M13 8a5 5 0 1 1-1.5-3.6M13.3 2.5v2.7h-2.7',
  link: 'M7 9a2.5 2.5 0 0 0 3.6 0l2-2A2.5 2.5 0 0 0 9 3.4l-.6.6M9 7a2.5 2.5 0 0 0-3.6 0l-2 2A2.5 2.5 0 0 0 7 12.6l.6-.6',
  compose: 'M13 8.5V12a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 3 12V5a1.5 1.5 0 0 1 1.5-1.5H8M7 9l.4-1.9 4.7-4.7a1 1 0 0 1 1.5 1.5L8.9 8.6Z',
  bubble: 'M2.5 4.5c0-1 .7-1.7 1.7-1.7h7.6c1 0 1.7.7 1.7 1.7v4.8c0 1-.7 1.7-1.7 1.7H7.5L4.6 13.4v-2.4h-.4c-1 0-1.7-.7-1.7-1.7Z',
};

/**
 * An icon. It says nothing to a screen reader: whoever shows it names what it stands for.
 * @param {keyof typeof ICONS} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = /** @type {SVGElement} */ (document.createElementNS(SVG, 'svg'));
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name] ?? '');
  if (name === 'more') path.setAttribute('stroke-width', '2.4');
  svg.append(path);
  return svg;
}

/**
 * A button that shows an icon and is named for screen readers and in its tip.
 * @param {keyof typeof ICONS} name
 * @param {string} label
 * @param {Record<string, any>} [properties]
 */
export function iconButton(name, label, properties) {
  return h('button.icon-button', { type: 'button', 'aria-label': label, title: label, ...properties }, icon(name));
}
