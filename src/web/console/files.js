// What is attached to messages. Promises that only pictures of kinds that cannot run are shown, by
// their bytes and not by their name, as blobs of this page; everything else is only ever saved.
// @ts-check
import { fill, h, icon, set } from './dom.js';
import { explain } from './notices.js';
import { nameOf } from './people.js';
import { safeAddress } from './text.js';
import { sizeName } from './times.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('/client/index.js').Media} Media */

/** Pictures that are fetched without being asked for, in bytes. */
const PREVIEW_BYTES = 8_000_000;
/** Pictures kept at once; the oldest are given back. */
const KEPT_MAX = 60;
/** Fetched at once. */
const FETCHES_MAX = 3;
/** Size of a picture on the screen, at most. */
const [WIDTH, HEIGHT] = [360, 280];

const PICTURE_NAME = /\.(png|jpe?g|gif|webp)$/i;

/** @typedef {{ address: string, type: string, width: number, height: number }} Picture */
/** @type {Map<string, Promise<Picture>>} */
const pictures = new Map();
/** Sizes of pictures that were seen, so that a row is as high at once as it will be. @type {Map<string, { width: number, height: number }>} */
const sizes = new Map();
/** @type {(() => void)[]} */
const queue = [];
let running = 0;

/** Gives everything back, when somebody signs out. */
export function forgetFiles() {
  for (const kept of pictures.values()) kept.then(({ address }) => URL.revokeObjectURL(address), () => {});
  pictures.clear();
  sizes.clear();
  allowed.clear();
  queue.length = 0;
}

/**
 * The kind of picture that these bytes begin, if it is one that may be shown.
 * @param {Uint8Array} bytes
 */
export function pictureType(bytes) {
  const begins = (/** @type {string} */ text, at = 0) => [...text].every((letter, place) => bytes[at + place] === letter.charCodeAt(0));
  if (begins('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (begins('\xff\xd8\xff')) return 'image/jpeg';
  if (begins('GIF87a') || begins('GIF89a')) return 'image/gif';
  if (begins('RIFF') && begins('WEBP', 8)) return 'image/webp';
  return null;
}

/**
 * Everything attached to a message.
 * @param {App} app
 * @param {import('/client/index.js').Message} message
 */
export function attachmentsOf(app, message) {
  return h('ul.attachments', { 'aria-label': 'Attachments' }, message.medias.map((media) => h('li', null, attachment(app, media))));
}

/** @param {App} app @param {Media} media */
function attachment(app, media) {
  if (media.type === 'file' && media.file_id) {
    return PICTURE_NAME.test(media.name ?? '') ? picture(app, media, media.file_id) : fileCard(app, media, media.file_id);
  }
  if (media.type === 'agent') return card('person', nameOf(app.store, media.agent_id ?? ''), 'Person');
  if (media.type === 'address') return card('bubble', Object.values(media.address ?? {}).filter((value) => typeof value === 'string').join(', ') || 'Address', 'Address');
  const address = safeAddress(media.link_url ?? media.url);
  const name = media.name || media.link_url || media.url || media.type;
  if (!address) return card('link', name, media.type === 'link' ? 'Link that cannot be followed' : media.type);
  return h('a.card', { href: address, target: '_blank', rel: 'noopener noreferrer' },
    h('span.card-icon', null, icon('link')), h('span.card-text', null, h('bdi.cut', null, name), h('span.note.cut', null, new URL(address).host || 'Link')));
}

/** @param {string} sign @param {string} name @param {string} kind */
function card(sign, name, kind) {
  return h('div.card', null, h('span.card-icon', null, icon(sign)),
    h('span.card-text', null, h('bdi.cut', null, name), h('span.note', null, kind)));
}

/** @param {App} app @param {Media} media @param {string} id */
function fileCard(app, media, id) {
  const name = media.name || 'File';
  const note = h('span.note', null, (/\.([a-z0-9]{1,6})$/i.exec(name)?.[1] ?? 'File').toUpperCase());
  return h('div.card', null, h('span.card-icon', null, icon('file')),
    h('span.card-text', null, h('bdi.cut', { title: name }, name), note),
    h('button.icon-button', {
      type: 'button', 'aria-label': `Download ${name}`, title: 'Download', onclick: () => save(app, id, name, note),
    }, icon('save')));
}

/**
 * Fetches a file and hands it to the browser to be saved. It is never opened.
 * @param {App} app @param {string} id @param {string} name @param {HTMLElement} note
 */
async function save(app, id, name, note) {
  const before = note.textContent;
  try {
    const file = await app.calls.downloadFile(id, {
      onProgress: (received, total) => { note.textContent = total ? `${Math.round((received / total) * 100)} %` : sizeName(received); },
    });
    const bytes = await file.blob();
    // Of no kind that a browser would show: whatever it is, it ends in a file.
    const address = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
    const link = h('a', { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (error) {
    app.failed(error);
  } finally {
    note.textContent = before;
  }
}

/** @param {App} app @param {Media} media @param {string} id */
function picture(app, media, id) {
  const name = media.name || 'Picture';
  const frame = h('button.picture', { type: 'button', 'aria-label': `Show ${name}`, disabled: true });
  const box = h('div.picture-box', null, frame);
  const known = sizes.get(id);
  size(frame, known ?? { width: 240, height: 160 });
  const load = () => pictureOf(app, id).then((shown) => {
    const image = h('img', { src: shown.address, alt: name, draggable: 'false' });
    size(frame, shown);
    fill(frame, image);
    frame.disabled = false;
    // Perhaps given back meanwhile, for the sake of newer ones.
    frame.onclick = () => void pictureOf(app, id).then((now) => enlarge(app, id, name, now), app.failed);
  }, (error) => {
    fill(box, fileCard(app, media, id), error?.name === 'TooLarge'
      ? h('button.link-button', { type: 'button', onclick: () => { fill(box, frame); allowed.add(id); load(); } }, 'Show the picture')
      : error?.name === 'NoPicture' ? null : h('span.note', null, explain(error)));
  });
  load();
  return box;
}

/** @param {HTMLElement} frame @param {{ width: number, height: number }} natural */
function size(frame, { width, height }) {
  const scale = Math.min(1, WIDTH / width, HEIGHT / height);
  frame.style.width = `${Math.max(48, Math.round(width * scale))}px`;
  frame.style.aspectRatio = `${width} / ${height}`;
}

/** Large pictures that somebody wants to see. @type {Set<string>} */
const allowed = new Set();

/** @param {App} app @param {string} id @returns {Promise<Picture>} */
function pictureOf(app, id) {
  const kept = pictures.get(id);
  if (kept) {
    pictures.delete(id);
    pictures.set(id, kept);
    return kept;
  }
  const fresh = inTurn(() => fetchPicture(app, id));
  pictures.set(id, fresh);
  fresh.catch(() => pictures.delete(id));
  for (const [old, gone] of pictures) {
    if (pictures.size <= KEPT_MAX) break;
    pictures.delete(old);
    gone.then(({ address }) => setTimeout(() => URL.revokeObjectURL(address), 10_000), () => {});
  }
  return fresh;
}

/**
 * @template T
 * @param {() => Promise<T>} act
 * @returns {Promise<T>}
 */
function inTurn(act) {
  return new Promise((resolve, reject) => {
    queue.push(() => {
      running += 1;
      act().then(resolve, reject).finally(() => {
        running -= 1;
        queue.shift()?.();
      });
    });
    if (running < FETCHES_MAX) queue.shift()?.();
  });
}

/** @param {App} app @param {string} id @returns {Promise<Picture>} */
async function fetchPicture(app, id) {
  const file = await app.calls.downloadFile(id);
  if ((file.size ?? 0) > PREVIEW_BYTES && !allowed.has(id)) {
    await file.body.cancel();
    throw Object.assign(new Error('large'), { name: 'TooLarge' });
  }
  const bytes = new Uint8Array(await (await file.blob()).arrayBuffer());
  const type = pictureType(bytes);
  if (!type) throw Object.assign(new Error('no picture'), { name: 'NoPicture' });
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
  } catch {
    URL.revokeObjectURL(address);
    throw Object.assign(new Error('no picture'), { name: 'NoPicture' });
  }
  const found = { width: image.naturalWidth || 1, height: image.naturalHeight || 1 };
  if (sizes.size > 2000) sizes.clear();
  sizes.set(id, found);
  return { address, type, ...found };
}

/** @param {App} app @param {string} id @param {string} name @param {Picture} shown */
function enlarge(app, id, name, shown) {
  const image = h('img', { alt: name });
  set(image, 'src', shown.address);
  const note = h('span.note', null, `${shown.width} × ${shown.height}`);
  app.dialog({
    title: name, wide: true, body: [h('div.enlarged', null, image)],
    foot: [note, h('span.gap'), h('button.button', { type: 'button', onclick: () => save(app, id, name, note) }, icon('save'), 'Download')],
  });
}
