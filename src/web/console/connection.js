// The banner that says how the connection is: calm, with what can be done. Nothing is shown while
// all is well, nor for a short breath.
// @ts-check
import { fill, h, icon, say } from './dom.js';
import { announce } from './notices.js';

/** Shorter troubles are not worth a word. */
const BREATH_MS = 1200;

export class Banner {
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #later;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #ticks;
  #shown = '';

  /** @param {import('/client/index.js').Live} live */
  constructor(live) {
    this.live = live;
    this.text = h('span');
    this.count = h('span.count');
    this.again = h('button.link-button', { type: 'button', onclick: () => live.retryNow() }, 'Retry now');
    this.element = h('div.banner', { hidden: true, role: 'group', 'aria-label': 'Connection' });
    this.end = live.subscribe(() => this.#changed());
    this.#changed();
  }

  close() {
    this.end();
    clearTimeout(this.#later);
    clearInterval(this.#ticks);
  }

  #changed() {
    clearTimeout(this.#later);
    if (this.live.state === 'live' || this.live.state === 'signed-out') return this.#hide();
    if (this.#shown) return this.#show();
    this.#later = setTimeout(() => this.#show(), BREATH_MS);
  }

  #hide() {
    clearInterval(this.#ticks);
    if (this.#shown) announce('Connected again');
    this.#shown = '';
    this.element.hidden = true;
    delete document.documentElement.dataset.offline;
  }

  #show() {
    clearInterval(this.#ticks);
    const { state, reason, attempts } = this.live;
    const away = state === 'offline';
    const text = away ? 'You are offline. What you write is sent when you are back.'
      : state === 'connecting' ? (attempts === 0 && reason === 'start' ? 'Connecting' : 'Connecting again')
        : reason === 'restart' ? 'The hub restarts. What you write is sent when it is back.'
          : 'No connection to the hub. What you write is sent when it is back.';
    say(this.text, text);
    if (this.element.hidden || !this.element.firstChild) fill(this.element, icon('warn'), this.text, this.count, this.again);
    this.element.hidden = false;
    this.again.hidden = state === 'connecting' || away;
    this.count.hidden = state !== 'waiting';
    document.documentElement.dataset.offline = '';
    if (this.#shown !== text) announce(text);
    this.#shown = text;
    if (state !== 'waiting') return;
    const tick = () => {
      const left = Math.max(0, Math.ceil(((this.live.retryAt ?? 0) - Date.now()) / 1000));
      say(this.count, left > 0 ? `Next try in ${left} s` : 'Trying');
    };
    tick();
    this.#ticks = setInterval(tick, 500);
  }
}
