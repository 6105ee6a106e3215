// The console begins here: who is signed in, then the frame. A map of the modules:
//
//   main      begins, remembers who is signed in here, ends         signin   the page before
//   frame     panes, what is open, who hears what changed           app      what rooms are given
//   route     what is open, in the address of the page              keys     keys that work everywhere
//   sidebar   the list of chats     switcher  quick switcher        status   oneself: status, look, sign out
//   channels  browse and join       newchat   make chats, pick people        details  rename, delete
//   chat      the open chat         thread    a thread              members  who is in a chat
//   timeline  a list of messages    windowed  any length of list    message  one message
//   reactions, picker, emoji, completion (emoji by name)            files, uploads  what is attached
//   composer  where one writes      drafts    what is not sent yet  search   in loaded messages
//   connection  the banner          notify    title, icon, desktop  notices  short words, plain errors
//   dialogs   dialogs and menus     look      light and dark        people   names, faces, statuses
//   dom       the element builder   text      links, safely         times    in the viewer's zone
//   kept      what this browser keeps for one person                unsettled  what was sent and is in no chat
//   press     drawing waits while something is pressed
//
// Promises: nothing that anybody typed is ever parsed as HTML; no credential is kept where scripts
// could read it after the page is gone (the hub's own cookie carries it over a reload).
// @ts-check
import { Talk } from '/client/index.js';
import { fill, h } from './dom.js';
import { closeFloating } from './dialogs.js';
import { forgetFiles } from './files.js';
import { Frame } from './frame.js';
import { keptFor } from './kept.js';
import { startLook } from './look.js';
import { explain, forgetNotices, noticeElements } from './notices.js';
import { signInPage } from './signin.js';

/** Set while this browser should have a sign-in, so that nobody else is asked for theirs in vain. */
const REMEMBERED = 'talk.signed-in';
/** In a demo, who this tab is: another tab may be another. */
const TAB = 'talk.demo-person';
/** Who was signed in last in this tab, whose address it still shows. */
const PERSON = 'talk.person';
/** Set until the hub knows of a sign-out, so that it is told at the next load if not before. */
const UNTOLD = 'talk.sign-out-untold';
/** Milliseconds that telling it may take. */
const TELL_MS = 5000;
const SIGNED_OUT_ELSEWHERE = 'You signed out in another tab.';

const place = /** @type {HTMLElement} */ (document.getElementById('app'));
/** Tells of sign-ins: the library would go on as whoever it was, but one browser is one person's. */
const tabs = new BroadcastChannel('talk');

/** @type {Talk | null} */ let talk = null;
/** @type {Frame | null} */ let frame = null;
/** @type {import('./signin.js').Demo | null} */ let demo = null;
/** What the page before says about how one came there. */
const remark = h('p.note', { role: 'status', hidden: true });
/** The hub being told of a sign-out: a sign-in waits for it, since it would lose its cookie to it. @type {Promise<void>} */
let telling = Promise.resolve();

/** @param {Storage} storage @param {string} key @param {string | null} [value] */
function keep(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else if (value !== undefined) storage.setItem(key, value);
    return storage.getItem(key);
  } catch {
    return null;
  }
}

async function begin() {
  startLook();
  document.body.append(...noticeElements);
  // A file that misses its mark would otherwise replace the page.
  for (const kind of ['dragover', 'drop']) {
    addEventListener(kind, (event) => { if (/** @type {DragEvent} */ (event).dataTransfer?.types.includes('Files')) event.preventDefault(); });
  }
  tabs.onmessage = ({ data }) => heard(data ?? {});
  if (keep(localStorage, UNTOLD)) await tellSignOut(tellAnew);
  const remembered = keep(localStorage, REMEMBERED) === '1';
  demo = await askDemo();
  // In a demo every tab may be somebody else, so that one can talk to oneself.
  if (demo ? !keep(sessionStorage, TAB) : !remembered) return askWho();
  await goOn();
}

/** Somebody signed in in another tab. @param {{ signedIn?: string }} news */
function heard({ signedIn: came }) {
  const own = talk?.me?.id;
  // The cookie is another's by now; in a demo every tab has its own person.
  if (came && own && came !== own && !demo) ended('Somebody else signed in in another tab.', { cookie: 'theirs' });
  // Nothing is left to be told: that sign-in took the place of the one before.
  else if (came && !own) say('');
}

/** What a demo offers to newcomers; every other hub says that it is none. @returns {Promise<typeof demo>} */
async function askDemo() {
  try {
    const { people, password } = (await (await fetch('/console/demo.json')).json()) ?? {};
    return Array.isArray(people) && people.length > 0 ? { people, password: String(password) } : null;
  } catch {
    return null;
  }
}

/** Goes on with the sign-in that this browser has. */
async function goOn() {
  fill(place, h('div.starting', { role: 'status' }, h('span.spinner'), h('span.heard', null, 'Loading')));
  const mine = new Talk();
  talk = mine;
  try {
    const person = keep(sessionStorage, TAB) ?? '';
    const me = demo?.people.some(({ username }) => username === person) ? await mine.signIn(person, demo.password) : await mine.resume();
    // The cookie may be of whoever signed in last, in another tab of a demo.
    if (mine !== talk) return mine.close();
    if (!me || (demo && me.username !== person)) return ended('');
    await show(mine);
  } catch (error) {
    if (mine !== talk) return mine.close();
    const again = h('button.button.main', { type: 'button', onclick: () => { mine.close(); void goOn(); } }, 'Try again');
    fill(place, h('main.signin', null, h('div.nothing', null, h('strong', null, 'The hub cannot be reached'), h('span', null, explain(error)), again,
      h('button.button.plain', { type: 'button', onclick: () => void signOut() }, 'Sign in as somebody else'))));
    again.focus();
  }
}

/** Shows the page before. */
function askWho() {
  document.title = 'Talk';
  fill(place, signInPage({
    demo, remark,
    signIn: async (username, password) => {
      const fresh = new Talk();
      try {
        await telling;
        await fresh.signIn(username, password);
      } catch (error) {
        fresh.close();
        throw error;
      }
      talk = fresh;
      keep(localStorage, UNTOLD, null);
      keep(localStorage, REMEMBERED, '1');
      keep(sessionStorage, TAB, demo ? username : null);
      tabs.postMessage({ signedIn: fresh.me?.id });
      await show(fresh);
    },
  }));
}

/** @param {string} note @param {() => void} [again] */
function say(note, again) {
  remark.hidden = !note;
  fill(remark, note, again && ' ', again && h('button.link-button', { type: 'button', onclick: again }, 'Try again'));
}

/** @param {Talk} mine */
async function show(mine) {
  const hubName = await mine.calls.ownCustomer().then(({ name }) => name, () => '');
  if (mine !== talk) return;
  // Meanwhile, in another tab.
  if (!mine.me) return ended(SIGNED_OUT_ELSEWHERE, { forget: true });
  const { id } = mine.me;
  // What was open is nothing to somebody else.
  if ((keep(sessionStorage, PERSON) ?? id) !== id) history.replaceState(null, '', '#/');
  keep(sessionStorage, PERSON, id);
  keptFor(id);
  frame = new Frame(mine, { hubName, signOut: () => signOut() });
  fill(place, frame.element);
  frame.begin();
  mine.live.subscribe(({ state, reason }) => {
    if (state !== 'signed-out' || mine !== talk) return;
    // The library tells the other tabs of the same person.
    if (reason === 'signed out') ended(SIGNED_OUT_ELSEWHERE, { forget: true });
    else ended('Your sign-in ended. Sign in again to go on; what you wrote is kept.');
  });
}

/** At once for who sits here; the hub is told meanwhile. */
function signOut() {
  const mine = talk;
  // Not closed by `ended`: it has yet to tell.
  talk = null;
  ended('', { forget: true });
  history.replaceState(null, '', '#/');
  if (mine) void tellSignOut(() => mine.signOut().finally(() => mine.close()));
}

/** Tells the hub of a sign-out that it does not know of. */
async function tellAnew() {
  const fresh = new Talk();
  await fresh.calls.logout({ signal: AbortSignal.timeout(TELL_MS) }).finally(() => fresh.close());
  say('You are signed out.');
}

/** @param {() => Promise<unknown>} tell resolves with `false` or rejects when the hub could not be told */
function tellSignOut(tell) {
  keep(localStorage, UNTOLD, '1');
  telling = tell().then((told) => told !== false, () => false).then((told) => {
    if (told) keep(localStorage, UNTOLD, null);
    else say('Signed out here, but the hub could not be told. The sign-in ends by itself, or try again.', () => { say('Telling the hub'); void tellSignOut(tellAnew); });
  });
  return telling;
}

/**
 * Takes everything of the one who was signed in out of the page, and asks who comes next.
 * @param {string} note
 * @param {{ forget?: boolean, cookie?: 'theirs' }} [how] `forget`: they left for good, also what they did not send goes;
 *   `cookie`: who signed in in another tab goes on with it after a reload
 */
function ended(note, { forget = false, cookie } = {}) {
  if (forget) frame?.app.drafts.forget();
  frame?.close();
  frame = null;
  talk?.close();
  talk = null;
  forgetFiles();
  closeFloating();
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  forgetNotices();
  keptFor('');
  if (!cookie) keep(localStorage, REMEMBERED, null);
  keep(sessionStorage, TAB, null);
  say(note);
  askWho();
}

await begin();
