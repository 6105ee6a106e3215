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
//
// Promises: nothing that anybody typed is ever parsed as HTML; no credential is kept where scripts
// could read it after the page is gone (the hub's own cookie carries it over a reload).
// @ts-check
import { Talk } from '/client/index.js';
import { fill, h } from './dom.js';
import { closeFloating } from './dialogs.js';
import { forgetFiles } from './files.js';
import { Frame } from './frame.js';
import { startLook } from './look.js';
import { explain, noticeElements } from './notices.js';
import { signInPage } from './signin.js';

/** Set while this browser should have a sign-in, so that nobody else is asked for theirs in vain. */
const REMEMBERED = 'talk.signed-in';
/** In a demo, who this tab is: another tab may be another. */
const TAB = 'talk.demo-person';

const place = /** @type {HTMLElement} */ (document.getElementById('app'));
const tabs = new BroadcastChannel('talk');

/** @type {Talk | null} */ let talk = null;
/** @type {Frame | null} */ let frame = null;
/** @type {import('./signin.js').Demo | null} */ let demo = null;

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
  tabs.onmessage = ({ data }) => { if (data?.signedOut && data.signedOut === talk?.me?.id) ended('You signed out in another tab.'); };
  const remembered = keep(localStorage, REMEMBERED) === '1';
  demo = await askDemo();
  // In a demo every tab may be somebody else, so that one can talk to oneself.
  if (demo ? !keep(sessionStorage, TAB) : !remembered) return askWho('');
  await goOn();
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
  talk = new Talk();
  try {
    const person = keep(sessionStorage, TAB) ?? '';
    const me = demo?.people.some(({ username }) => username === person) ? await talk.signIn(person, demo.password) : await talk.resume();
    // The cookie may be of whoever signed in last, in another tab of a demo.
    if (!me || (demo && me.username !== person)) return ended('');
    await show();
  } catch (error) {
    const again = h('button.button.main', { type: 'button', onclick: () => { talk?.close(); void goOn(); } }, 'Try again');
    fill(place, h('main.signin', null, h('div.nothing', null, h('strong', null, 'The hub cannot be reached'), h('span', null, explain(error)), again,
      h('button.button.plain', { type: 'button', onclick: () => void signOut() }, 'Sign in as somebody else'))));
    again.focus();
  }
}

/** @param {string} note */
function askWho(note) {
  document.title = 'Talk';
  fill(place, signInPage({
    demo, note,
    signIn: async (username, password) => {
      const fresh = new Talk();
      try {
        await fresh.signIn(username, password);
      } catch (error) {
        fresh.close();
        throw error;
      }
      talk = fresh;
      keep(localStorage, REMEMBERED, '1');
      keep(sessionStorage, TAB, demo ? username : null);
      await show();
    },
  }));
}

async function show() {
  const mine = /** @type {Talk} */ (talk);
  const hubName = await mine.calls.ownCustomer().then(({ name }) => name, () => '');
  frame = new Frame(mine, { hubName, signOut: () => void signOut() });
  fill(place, frame.element);
  frame.begin();
  mine.live.subscribe(({ state, reason }) => {
    if (state === 'signed-out' && mine === talk) ended(reason === 'signed out' ? 'You signed out in another tab.' : 'Your sign-in ended. Sign in again to go on; what you wrote is kept.');
  });
}

async function signOut() {
  const mine = talk;
  tabs.postMessage({ signedOut: mine?.me?.id });
  history.replaceState(null, '', '#/');
  talk = null;
  await mine?.signOut();
  mine?.close();
  ended('');
}

/** @param {string} note */
function ended(note) {
  frame?.close();
  frame = null;
  talk?.close();
  talk = null;
  forgetFiles();
  closeFloating();
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  keep(localStorage, REMEMBERED, null);
  keep(sessionStorage, TAB, null);
  askWho(note);
}

await begin();
