// Files on their way to the hub, before the message that carries them is sent: progress, cancel,
// another try. A file that was taken back after it arrived is deleted.
// @ts-check
import { fill, h, icon, iconButton } from './dom.js';
import { pictureType } from './files.js';
import { announce, explain, notice } from './notices.js';
import { sizeName } from './times.js';

/** @typedef {import('./app.js').App} App */

/** Attachments of a message, as the hub has it by default. */
const FILES_MAX = 32;
/** Under way at once. */
const AT_ONCE = 2;

/**
 * @typedef {object} Upload
 * @property {File} file
 * @property {string} name
 * @property {'waiting' | 'going' | 'done' | 'failed'} state
 * @property {string} wrong
 * @property {string} id Of the file at the hub, once it is there.
 * @property {AbortController} cancel
 * @property {HTMLElement} element
 */

/** The files of one message. */
export class Tray {
  /** @type {Upload[]} */ uploads = [];
  element = h('ul.tray', { 'aria-label': 'Files to send', hidden: true });

  /** @param {App} app @param {() => void} changed */
  constructor(app, changed) {
    this.app = app;
    this.changed = changed;
    app.signal.addEventListener('abort', () => {
      const { uploads } = this;
      this.uploads = [];
      for (const { cancel } of uploads) cancel.abort();
    });
  }

  get done() { return this.uploads.every(({ state }) => state === 'done'); }

  get failed() { return this.uploads.some(({ state }) => state === 'failed'); }

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) {
      if (this.uploads.length >= FILES_MAX) {
        notice(`A message carries at most ${FILES_MAX} files.`, { wrong: true });
        break;
      }
      const name = file.name || 'picture.png';
      const upload = { file, name, state: /** @type {const} */ ('waiting'), wrong: '', id: '', cancel: new AbortController(), element: h('li.upload') };
      this.uploads.push(upload);
      this.element.append(upload.element);
      this.#draw(upload);
    }
    this.#next();
    this.#told();
  }

  #next() {
    while (this.uploads.filter(({ state }) => state === 'going').length < AT_ONCE) {
      const upload = this.uploads.find(({ state }) => state === 'waiting');
      if (!upload) return;
      void this.#send(upload);
    }
  }

  /** @param {Upload} upload */
  async #send(upload) {
    upload.state = 'going';
    upload.cancel = new AbortController();
    this.#draw(upload);
    const bar = /** @type {HTMLProgressElement | null} */ (upload.element.querySelector('progress'));
    const note = upload.element.querySelector('.note');
    try {
      const record = await this.app.calls.uploadFile(upload.file, {
        name: upload.name,
        signal: upload.cancel.signal,
        onProgress: (sent, total) => {
          if (bar && total > 0) bar.value = sent / total;
          if (note) note.textContent = `${sizeName(sent)} of ${sizeName(total)}`;
        },
      });
      upload.id = record.id;
      upload.state = 'done';
      announce(`${upload.name} is uploaded`);
      if (!this.uploads.includes(upload)) this.#forget(upload);
    } catch (error) {
      upload.state = 'failed';
      upload.wrong = explain(error);
      if (this.uploads.includes(upload)) announce(`${upload.name} was not uploaded. ${upload.wrong}`);
    }
    this.#draw(upload);
    this.#next();
    this.#told();
  }

  /** @param {Upload} upload */
  #draw(upload) {
    const { element, file, name, state } = upload;
    element.className = `upload ${state}`;
    const sign = h('span.card-icon', null, icon(file.type.startsWith('image/') ? 'picture' : 'file'));
    fill(element, sign,
      h('span.card-text', null, h('bdi.cut', { title: name }, name),
        state === 'failed' ? h('span.wrong', { role: 'alert' }, upload.wrong)
          : h('span.note', null, state === 'waiting' ? 'Waiting' : sizeName(file.size)),
        state === 'going' && h('progress', { max: 1, 'aria-label': `Upload of ${name}` })),
      state === 'failed' && iconButton('again', `Try ${name} again`, { onclick: () => { upload.state = 'waiting'; this.#next(); this.#told(); } }),
      iconButton('close', state === 'done' ? `Remove ${name}` : `Cancel ${name}`, { onclick: () => this.remove(upload) }));
    if (file.type.startsWith('image/')) void preview(file, sign);
  }

  /** @param {Upload} upload */
  remove(upload) {
    this.uploads = this.uploads.filter((one) => one !== upload);
    upload.element.remove();
    if (upload.state === 'going') upload.cancel.abort();
    if (upload.state === 'done') this.#forget(upload);
    this.#next();
    this.#told();
  }

  /** @param {Upload} upload */
  #forget(upload) {
    this.app.calls.deleteFile(upload.id).catch(() => { /* It is attached nowhere; nobody sees it. */ });
  }

  /** The files as a message carries them. */
  get medias() { return this.uploads.map(({ id, name }) => ({ type: 'file', file_id: id, name })); }

  /** A message carries them now: the tray is empty. */
  empty() {
    this.uploads = [];
    fill(this.element);
    this.#told();
  }

  /** They will never be sent: what is under way ends, what arrived is deleted. */
  abandon() {
    const all = this.uploads;
    this.empty();
    for (const upload of all) {
      if (upload.state === 'going') upload.cancel.abort();
      if (upload.state === 'done') this.#forget(upload);
    }
  }

  #told() {
    this.element.hidden = this.uploads.length === 0;
    this.changed();
  }
}

/** A small picture of a picture. @param {File} file @param {HTMLElement} place */
async function preview(file, place) {
  if (file.size > 20_000_000) return;
  const type = pictureType(new Uint8Array(await file.slice(0, 16).arrayBuffer()));
  if (!type) return;
  const address = URL.createObjectURL(new Blob([file], { type }));
  const image = h('img', { src: address, alt: '' });
  image.onload = () => { fill(place, image); URL.revokeObjectURL(address); };
  image.onerror = () => URL.revokeObjectURL(address);
}
