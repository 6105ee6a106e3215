// What this browser keeps for one person over reloads: small wishes and habits. Promises that
// nobody who signs in later sees or changes them; where nothing can be kept, nothing is.
// @ts-check

let person = '';

/** Whose it is from now on; nobody's with `''`. @param {string} agent */
export function keptFor(agent) {
  person = agent;
}

/** @param {string} name */
export function kept(name) {
  try {
    return localStorage.getItem(`talk.${name}.${person}`);
  } catch {
    return null;
  }
}

/** @param {string} name @param {string | null} value `null` forgets it */
export function keep(name, value) {
  if (!person) return;
  try {
    if (value === null) localStorage.removeItem(`talk.${name}.${person}`);
    else localStorage.setItem(`talk.${name}.${person}`, value);
  } catch { /* Nothing is kept then. */ }
}
