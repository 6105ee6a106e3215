// Times: from the wire's UTC to what the viewer reads in their own zone and language. Promises that
// a time that cannot be read is shown as nothing, never as `Invalid Date`.
// @ts-check

const WIRE = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?$/;

/**
 * Milliseconds since 1970 of a time of the wire (`YYYY-MM-DD HH:MM:SS.ffffff`, UTC); 0 if it is none.
 * @param {string | undefined} text
 */
export function instant(text) {
  const found = WIRE.exec(text ?? '');
  if (!found) return 0;
  return Date.parse(`${found[1]}T${found[2]}${(found[3] ?? '').slice(0, 4)}Z`) || 0;
}

/**
 * A time of the wire for this many milliseconds.
 * @param {number} at
 */
export function wireTime(at) {
  return `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')}000`;
}

// Of clocks with 24 hours the hour has two digits: `09:05`, but `9:05 AM`.
const halves = new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions().hour12;
const clock = new Intl.DateTimeFormat(undefined, { hour: halves ? 'numeric' : '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const shortWeekday = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const date = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const dateAndYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const shortDateAndYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

const DAY = 86_400_000;

/**
 * The day of a moment in the viewer's zone, as a number that grows by one from day to day.
 * @param {number} at
 */
export function dayOf(at) {
  const local = new Date(at);
  return Math.round(Date.UTC(local.getFullYear(), local.getMonth(), local.getDate()) / DAY);
}

/** @param {number} at */
export const timeOfDay = (at) => (at ? clock.format(at) : '');

/**
 * The time of day where there is little room: without the half of the day.
 * @param {number} at
 */
export const clockTime = (at) => (at ? clock.formatToParts(at).filter(({ type }) => type !== 'dayPeriod').map(({ value }) => value).join('').trim() : '');

/** @param {number} at */
export const wholeTime = (at) => (at ? whole.format(at) : '');

/**
 * The head of a day in a timeline: Today, Yesterday, Tuesday, 3 March.
 * @param {number} at
 * @param {number} [now]
 */
export function dayName(at, now = Date.now()) {
  if (!at) return '';
  const ago = dayOf(now) - dayOf(at);
  if (ago === 0 || ago === 1) return capital(relative.format(-ago, 'day'));
  if (ago > 1 && ago < 7) return capital(weekday.format(at));
  return sameYear(at, now) ? date.format(at) : dateAndYear.format(at);
}

/**
 * A time in a list, as short as can be: 14:05, Yesterday, Tue, 3 Mar, 3 Mar 2024.
 * @param {number} at
 * @param {number} [now]
 */
export function shortTime(at, now = Date.now()) {
  if (!at) return '';
  const ago = dayOf(now) - dayOf(at);
  if (ago <= 0) return clock.format(at);
  if (ago === 1) return capital(relative.format(-1, 'day'));
  if (ago < 7) return shortWeekday.format(at);
  return sameYear(at, now) ? shortDate.format(at) : shortDateAndYear.format(at);
}

/**
 * @param {number} at
 * @param {number} now
 */
function sameYear(at, now) {
  return new Date(at).getFullYear() === new Date(now).getFullYear();
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

/**
 * Calls `act` when the day changes in the viewer's zone, again and again. Looks once a minute, since
 * a machine that slept has no timers.
 * @param {() => void} act
 * @param {AbortSignal} signal Ends it.
 */
export function eachDay(act, signal) {
  let day = dayOf(Date.now());
  const timer = setInterval(() => {
    if (dayOf(Date.now()) === day) return;
    day = dayOf(Date.now());
    act();
  }, 60_000);
  signal.addEventListener('abort', () => clearInterval(timer));
}

const units = ['B', 'KB', 'MB', 'GB'];

/**
 * The size of a file for people.
 * @param {number} bytes
 */
export function sizeName(bytes) {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size >= 100 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}
