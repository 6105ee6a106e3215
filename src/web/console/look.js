// Light, dark, or as the system is: kept in this browser.
// @ts-check

const KEPT = 'talk.look';
const LOOKS = { system: 'As the system', light: 'Light', dark: 'Dark' };

/** @returns {keyof typeof LOOKS} */
function look() {
  try {
    const kept = localStorage.getItem(KEPT);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system';
  }
}

export const lookName = () => LOOKS[look()];

export function nextLook() {
  const all = /** @type {(keyof typeof LOOKS)[]} */ (Object.keys(LOOKS));
  return all[(all.indexOf(look()) + 1) % all.length];
}

/** @param {keyof typeof LOOKS} wanted */
export function setLook(wanted) {
  try {
    if (wanted === 'system') localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, wanted);
  } catch { /* For this page only, then. */ }
  show(wanted);
}

/** @param {string} wanted */
function show(wanted) {
  if (wanted === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
}

/** Shows what was chosen before; follows other tabs. */
export function startLook() {
  show(look());
  addEventListener('storage', ({ key }) => { if (key === KEPT) show(look()); });
}
