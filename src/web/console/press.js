// What happens while something is pressed. A browser makes a click only of a press and a release on
// one element: if a row is drawn again or moves between the two, because a message came, the click
// goes nowhere or elsewhere. Promises that drawing waits until the press of a finger, a pen or the
// main button is over, and no longer than HOLD_MS: after that it is no click any more. What waits is
// drawn in order. Keys need no such thing: what they press has the focus, wherever it moves.
// @ts-check

const PRESSABLE = 'a, button, summary, label, input, select, [role="button"], [role="menuitem"], [role="option"]';
/** Milliseconds that drawing waits at most. */
const HOLD_MS = 3000;
/** Milliseconds after which a finger that was lifted has clicked or has not; a mouse clicks at once. */
const CLICK_MS = 350;

/**
 * Runs what it is given in order: at once, or when the press that is under way is over.
 * @param {AbortSignal} signal - when it ends, what waits is forgotten
 * @returns {(act: () => void) => void}
 */
export function afterPress(signal) {
  /** @type {(() => void)[]} */ const waiting = [];
  /** The pointer that presses. @type {number | null} */ let pressing = null;
  /** When the first of what waits came, by the clock of the page. */
  let since = 0;
  let timer = 0;
  const over = () => {
    for (let act = waiting.shift(); act; act = waiting.shift()) {
      // One that fails keeps no other from being drawn.
      try { act(); } catch (error) { reportError(error); }
    }
    pressing = null;
  };
  /** @param {number} ms */
  const end = (ms) => {
    clearTimeout(timer);
    // However soon one press follows another.
    const left = waiting.length > 0 ? since + HOLD_MS - performance.now() : HOLD_MS;
    timer = setTimeout(over, Math.max(0, Math.min(ms, left)));
  };
  // Before anybody else hears of it.
  const how = { signal, capture: true };
  addEventListener('pointerdown', ({ target, isPrimary, button, pointerId }) => {
    if (!isPrimary || button !== 0 || !(target instanceof Element) || !target.closest(PRESSABLE)) return;
    pressing = pointerId;
    end(HOLD_MS);
  }, how);
  for (const name of /** @type {const} */ (['pointerup', 'pointercancel'])) {
    addEventListener(name, ({ pointerId, pointerType }) => {
      if (pointerId === pressing) end(name === 'pointerup' && pointerType !== 'mouse' ? CLICK_MS : 0);
    }, how);
  }
  addEventListener('click', () => { if (pressing !== null) end(0); }, how);
  signal.addEventListener('abort', () => { clearTimeout(timer); waiting.length = 0; });
  return (act) => {
    if (pressing === null) return act();
    if (waiting.length === 0) since = performance.now();
    waiting.push(act);
  };
}
