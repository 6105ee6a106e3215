// Dialogs and menus. Promises that focus stays inside while one is open and goes back to where it
// was, that Escape and a press outside close it, and that nothing of it is left in the page then.
// @ts-check
import { fill, h, icon, iconButton } from './dom.js';

/** @typedef {import('./dom.js').Child} Child */

/**
 * Shows a modal dialog.
 * @param {{ title: string, body: Child[], foot?: Child[], wide?: boolean, bare?: boolean, onclose?: () => void }} what
 *   `bare`: without a head, the title is only heard.
 * @returns {{ dialog: HTMLDialogElement, close: () => void }}
 */
export function openDialog({ title, body, foot = [], wide = false, bare = false, onclose }) {
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const close = () => dialog.close();
  const head = bare ? null : h('header', null, h('h2', null, title), iconButton('close', 'Close', { onclick: close }));
  const dialog = h('dialog.dialog', { 'aria-label': title, class: wide ? 'wide' : bare ? 'bare' : '' },
    head, h('div.content.scrolls', null, body), foot.length > 0 && h('footer', null, foot));
  let pressedOutside = false;
  dialog.addEventListener('pointerdown', (event) => { pressedOutside = event.target === dialog; });
  dialog.addEventListener('click', (event) => { if (pressedOutside && event.target === dialog) close(); });
  dialog.addEventListener('keydown', (event) => event.stopPropagation());
  dialog.addEventListener('close', () => {
    dialog.remove();
    onclose?.();
    if (before?.isConnected && (document.activeElement === document.body || !document.activeElement)) before.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, close };
}

/**
 * Asks before something that cannot be taken back.
 * @param {{ title: string, text: string, act: string, danger?: boolean }} what
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, act, danger = true }) {
  return new Promise((resolve) => {
    let answer = false;
    const yes = h('button.button', { type: 'button', class: danger ? 'danger' : 'main', onclick: () => { answer = true; close(); } }, act);
    const no = h('button.button', { type: 'button', onclick: () => close(), autofocus: true }, 'Cancel');
    const { close } = openDialog({
      title,
      body: [h('p.asks', { dir: 'auto' }, text)],
      foot: [no, yes],
      onclose: () => resolve(answer),
    });
  });
}

/**
 * A form in a dialog. `submit` may reject: its message is shown and the dialog stays.
 * @param {{ title: string, fields: Child[], act: string, wide?: boolean, more?: Child[], submit: () => Promise<unknown> | unknown,
 *   explain: (error: unknown) => string }} what
 */
export function openForm({ title, fields, act, wide, more = [], submit, explain }) {
  const wrong = h('p.wrong', { role: 'alert' });
  const go = h('button.button.main', { type: 'submit' }, act);
  const form = h('form.form', { novalidate: true }, fields, wrong,
    h('div.form-foot', null, more, h('span.gap'), h('button.button', { type: 'button', onclick: () => close() }, 'Cancel'), go));
  const { dialog, close } = openDialog({ title, body: [form], wide });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    fill(wrong);
    go.disabled = true;
    try {
      await submit();
      close();
    } catch (error) {
      fill(wrong, explain(error));
    } finally {
      go.disabled = false;
    }
  });
  return { dialog, close, form, go };
}

let names = 0;

/**
 * A labelled field.
 * @param {string} label
 * @param {HTMLElement} input
 * @param {string} [hint]
 */
export function field(label, input, hint) {
  names += 1;
  input.id ||= `field-${names}`;
  const hinted = hint ? h('p.hint', { id: `${input.id}-hint` }, hint) : null;
  if (hinted) input.setAttribute('aria-describedby', hinted.id);
  return h('div.field', null, h('label', { for: input.id }, label), input, hinted);
}

/**
 * @typedef {object} Choice
 * @property {string} label
 * @property {string} [icon]
 * @property {Node} [mark]
 * @property {boolean} [danger]
 * @property {boolean} [checked] Of a group of which one is chosen.
 * @property {() => void} act
 */

/** @type {(() => void) | null} */
let openMenuCloses = null;

/**
 * Shows a menu beside what was pressed. `null` is a line between.
 * @param {HTMLElement} anchor
 * @param {string} label
 * @param {(Choice | null)[]} choices
 */
export function openMenu(anchor, label, choices) {
  if (anchor.getAttribute('aria-expanded') === 'true') return openMenuCloses?.();
  openMenuCloses?.();
  const items = choices.map((choice) => (choice ? itemOf(choice, () => close(true)) : h('hr')));
  const menu = h('div.menu', { role: 'menu', 'aria-label': label, tabindex: '-1' }, items);
  const buttons = /** @type {HTMLElement[]} */ (items.filter((item) => item.tagName === 'BUTTON'));
  const close = floating(anchor, menu);
  menu.addEventListener('keydown', (event) => {
    const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      buttons.at(to % buttons.length)?.focus();
    } else if (event.key === 'Tab') {
      event.preventDefault();
      close(true);
    }
    event.stopPropagation();
    if (event.key === 'Escape') close(true);
  });
  buttons[0]?.focus();
}

/**
 * @param {Choice} choice
 * @param {() => void} close
 */
function itemOf(choice, close) {
  const radio = choice.checked !== undefined;
  return h('button.menu-item', {
    type: 'button', tabindex: '-1', role: radio ? 'menuitemradio' : 'menuitem', class: choice.danger ? 'danger' : '',
    'aria-checked': radio ? String(choice.checked) : null,
    onclick: () => { close(); choice.act(); },
  }, choice.mark ?? (choice.icon && icon(choice.icon)), h('span', null, choice.label), choice.checked && icon('check'));
}

/**
 * Shows something beside what was pressed, until something else is pressed. The answer closes it;
 * with `true` focus goes back.
 * @param {HTMLElement} anchor
 * @param {HTMLElement} box
 * @returns {(back?: boolean) => void}
 */
export function floating(anchor, box) {
  openMenuCloses?.();
  anchor.setAttribute('aria-expanded', 'true');
  const host = anchor.closest('dialog, main, nav, aside') ?? document.body;
  box.classList.add('floating');
  host.append(box);
  place(anchor, box);
  const outside = (/** @type {Event} */ event) => {
    const target = /** @type {Node} */ (event.target);
    if (!box.contains(target) && !anchor.contains(target)) close();
  };
  const close = (back = false) => {
    box.remove();
    anchor.setAttribute('aria-expanded', 'false');
    document.removeEventListener('pointerdown', outside, true);
    window.removeEventListener('resize', away);
    box.removeEventListener('focusout', left);
    if (openMenuCloses === away) openMenuCloses = null;
    if (back && anchor.isConnected) anchor.focus();
  };
  const away = () => close();
  const left = (/** @type {FocusEvent} */ event) => {
    if (event.relatedTarget && !box.contains(/** @type {Node} */ (event.relatedTarget))) close();
  };
  openMenuCloses = away;
  document.addEventListener('pointerdown', outside, true);
  window.addEventListener('resize', away);
  box.addEventListener('focusout', left);
  return close;
}

/** Whether something floats, and closes it. */
export function closeFloating() {
  const close = openMenuCloses;
  close?.();
  return close !== null;
}

/**
 * @param {HTMLElement} anchor
 * @param {HTMLElement} box
 */
function place(anchor, box) {
  const [by, own] = [anchor.getBoundingClientRect(), box.getBoundingClientRect()];
  const gap = 6;
  const above = by.top - own.height - gap;
  const below = by.bottom + gap;
  const top = below + own.height <= innerHeight - gap || above < gap ? Math.min(below, innerHeight - own.height - gap) : above;
  const start = by.left + own.width <= innerWidth - gap ? by.left : by.right - own.width;
  box.style.top = `${Math.max(gap, top)}px`;
  box.style.left = `${Math.max(gap, Math.min(start, innerWidth - own.width - gap))}px`;
}
