// What happens while something is pressed. A browser makes a click only of a press and a release on
// one element: if a row is drawn again or moves between the two, because a message came, the click
// goes nowhere or elsewhere. Promises that drawing waits until the press is over, and no longer than
// HOLD_MS: after that it is no click any more.
// @ts-check

const PRESSABLE = 'a, button, summary, label, input, select, [role="button"], [role="menuitem"], [role="option"]';
/** Milliseconds that drawing waits at most. */
const HOLD_MS = 3000;

/**
 * Runs what it is given in order: at once, or when the press that is under way is over.
 * @param {AbortSignal} signal - when it ends, what waits is forgotten
 * @returns {(act: () => void) => void}
 */
export function afterPress(signal) {
  /** @type {(() => void)[] | null} */ let waiting = null;
  let timer = 0;
  const over = () => {
    clearTimeout(timer);
    const acts = waiting ?? [];
    waiting = null;
    for (const act of acts) act();
  };
  // Before anybody hears of the press; the click comes in the same task as the release.
  const how = { signal, capture: true };
  addEventListener('pointerdown', ({ target }) => {
    if (!(target instanceof Element) || !target.closest(PRESSABLE)) return;
    waiting ??= [];
    clearTimeout(timer);
    timer = setTimeout(over, HOLD_MS);
  }, how);
  for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => { if (waiting) setTimeout(over); }, how);
  signal.addEventListener('abort', () => { clearTimeout(timer); waiting = null; });
  return (act) => { if (waiting) waiting.push(act); else act(); };
}
