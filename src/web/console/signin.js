// The page before anything else: who are you. On a hub that runs as a demo it offers the people in
// it, so that a newcomer is inside with one press.
// @ts-check
import { fill, h, icon } from './dom.js';
import { field } from './dialogs.js';
import { explain } from './notices.js';
import { hueOf, initials } from './text.js';

/**
 * @typedef {object} Demo
 * @property {{ username: string, name: string }[]} people
 * @property {string} password Everybody's.
 */

/**
 * @param {{ demo: Demo | null, remark: HTMLElement, signIn: (username: string, password: string) => Promise<void> }} parts
 * @returns {HTMLElement}
 */
export function signInPage({ demo, remark, signIn }) {
  const name = h('input.input', { type: 'email', name: 'username', autocomplete: 'username', required: true, spellcheck: 'false', autocapitalize: 'none', inputmode: 'email' });
  const password = h('input.input', { type: 'password', name: 'password', autocomplete: 'current-password', required: true });
  const wrong = h('p.wrong', { role: 'alert' });
  const go = h('button.button.main.wide', { type: 'submit' }, 'Sign in');
  const form = h('form.form', { novalidate: true }, field('E-mail', name), field('Password', password), wrong, go);
  /** @param {string} who @param {string} secret @param {HTMLButtonElement} pressed */
  const attempt = async (who, secret, pressed) => {
    if (page.dataset.busy) return;
    page.dataset.busy = 'true';
    fill(wrong);
    pressed.setAttribute('aria-disabled', 'true');
    try {
      await signIn(who, secret);
    } catch (error) {
      fill(wrong, explain(error));
      if (pressed === go) password.select();
    } finally {
      delete page.dataset.busy;
      pressed.removeAttribute('aria-disabled');
    }
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const missing = !name.value.trim() ? name : !password.value ? password : null;
    if (missing) { fill(wrong, missing === name ? 'Type your e-mail address.' : 'Type your password.'); missing.focus(); return; }
    void attempt(name.value.trim(), password.value, go);
  });
  const page = h('main.signin', null, h('div.signin-card', null,
    h('div.brand', { 'aria-hidden': 'true' }, icon('bubble')), h('h1', null, 'Sign in to Talk'),
    remark, demo && demoPeople(demo, attempt), form));
  queueMicrotask(() => (demo ? /** @type {HTMLElement | null} */ (page.querySelector('.demo-person')) : name)?.focus());
  return page;
}

/** @param {Demo} demo @param {(who: string, secret: string, pressed: HTMLButtonElement) => Promise<void>} attempt */
function demoPeople({ people, password }, attempt) {
  return h('section.demo', { 'aria-label': 'Demo' },
    h('p', null, 'This hub runs as a demo. Be one of these people; open a second tab to be another, and talk to yourself.'),
    h('ul', null, people.map((person) => {
      const face = h('span.avatar', { 'aria-hidden': 'true' }, h('span.letters', null, initials(person.name)));
      face.style.setProperty('--hue', String(hueOf(person.username)));
      const button = h('button.demo-person', { type: 'button', onclick: () => void enter() },
        face, h('span.heard', null, 'Be '), h('strong', null, person.name), h('span.note.cut', null, person.username));
      // The first one to come lets the people of the demo talk a little; without it the place is only empty.
      const enter = async () => {
        await fetch('/console/demo.json', { method: 'POST' }).catch(() => null);
        await attempt(person.username, password, button);
      };
      return h('li', null, button);
    })),
    h('p.or', { 'aria-hidden': 'true' }, h('span', null, 'or')));
}
