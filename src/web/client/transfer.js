// Files up and down, as streams, with progress.
//
// Promises: what is sent or received is told in bytes as it goes; neither is held whole in memory
// except where a browser has no other way; no upload is repeated by itself, since a file would then
// be there twice.
// @ts-check

import { TalkError, closed, errorOf, unreachable } from "./error.js";
import { randomId } from "./http.js";

/** @import { Calls, Download, DownloadHow, FileRecord, UploadHow } from "./index.js" */
/** @import { Http } from "./http.js" */
/** @import { Settled } from "./options.js" */

/**
 * @param {Http} http
 * @param {Settled} options
 * @param {string} path
 * @param {Parameters<Calls["uploadFile"]>[0]} file
 * @param {UploadHow} [how]
 * @returns {Promise<FileRecord>}
 */
export async function upload(http, options, path, file, how = {}) {
  const name = how.name ?? (file instanceof Blob && "name" in file ? String(file.name) : "file");
  const mime = how.mime ?? (file instanceof Blob && file.type ? file.type : "application/octet-stream");
  if (typeof XMLHttpRequest === "function" && !("stream" in file && !(file instanceof Blob))) {
    const blob = new Blob([/** @type {BlobPart} */ (file)], { type: mime });
    return uploadInBrowser(http, path, blob, name, how);
  }
  const parts = multipart(file, name, mime, how.onProgress ?? (() => {}));
  const { body } = await http.response(
    {
      method: "POST",
      path,
      // Only Node comes here, which can make a stream of what it iterates over.
      raw: /** @type {any} */ (ReadableStream).from(parts.bytes),
      headers: { "Content-Type": parts.type },
      signal: how.signal,
      tries: 1,
      ms: 0,
    },
    (response) => response.json(),
  );
  return body;
}

/**
 * The body of a form with one file, piece by piece.
 * @param {Parameters<Calls["uploadFile"]>[0]} file
 * @param {string} name
 * @param {string} mime
 * @param {(sent: number, total: number) => void} progress
 */
function multipart(file, name, mime, progress) {
  const boundary = randomId("talk-");
  // As browsers write them: a quote or a line's end in a name would end it.
  const shown = name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  const utf8 = (/** @type {string} */ text) => new TextEncoder().encode(text);
  const field = `--${boundary}\r\nContent-Disposition: form-data; name=`;
  const bytes = async function* () {
    yield utf8(`${field}"type"\r\n\r\ntalk\r\n`);
    yield utf8(`${field}"file"; filename="${shown}"\r\nContent-Type: ${mime}\r\n\r\n`);
    let sent = 0;
    const [source, total] = piecesOf(file);
    for await (const piece of source) {
      yield piece;
      sent += piece.length;
      progress(sent, total);
    }
    yield utf8(`\r\n--${boundary}--\r\n`);
  };
  return { type: `multipart/form-data; boundary=${boundary}`, bytes: bytes() };
}

/**
 * @param {Parameters<Calls["uploadFile"]>[0]} file
 * @returns {[AsyncIterable<Uint8Array> | Iterable<Uint8Array>, number]}
 */
function piecesOf(file) {
  if (file instanceof Uint8Array) return [[file], file.length];
  if (file instanceof Blob) return [/** @type {any} */ (file.stream()), file.size];
  return [file.stream, file.size];
}

/**
 * Browsers tell the progress of an upload only this way.
 * @param {Http} http
 * @param {string} path
 * @param {Blob} blob
 * @param {string} name
 * @param {UploadHow} how
 * @returns {Promise<FileRecord>}
 */
function uploadInBrowser(http, path, blob, name, how) {
  const requestId = randomId("web-");
  return new Promise((resolve, reject) => {
    how.signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    const settle = (/** @type {() => void} */ tell) => () => {
      how.signal?.removeEventListener("abort", abort);
      http.ended.removeEventListener("abort", abort);
      tell();
    };
    request.open("POST", http.url + path);
    request.responseType = "json";
    request.setRequestHeader("X-Request-Id", requestId);
    if (http.session?.token) request.setRequestHeader("Authorization", `Bearer ${http.session.token}`);
    request.upload.onprogress = (event) => how.onProgress?.(Math.min(event.loaded, blob.size), blob.size);
    request.onerror = settle(() => reject(unreachable(requestId, undefined)));
    request.onabort = settle(() => reject(how.signal?.aborted ? how.signal.reason : closed()));
    request.onload = settle(() => {
      const error = request.response?.error ?? {};
      if (request.status === 200) resolve(request.response);
      else reject(errorOf(request.status, error, request.getResponseHeader("Retry-After"), requestId));
    });
    how.signal?.addEventListener("abort", abort, { once: true });
    http.ended.addEventListener("abort", abort);
    const form = new FormData();
    form.append("type", "talk");
    form.append("file", blob, name);
    request.send(form);
  });
}

/**
 * @param {Http} http
 * @param {string} path
 * @param {DownloadHow} [how]
 * @returns {Promise<Download>}
 */
export async function download(http, path, how = {}) {
  /** @type {Record<string, string>} */
  const headers = how.range ? { Range: `bytes=${how.range[0]}-${how.range[1] ?? ""}` } : {};
  const { response } = await http.response({ method: "GET", path, headers, signal: how.signal, ms: 0 }, () => null);
  const length = Number.parseInt(response.headers.get("content-length") ?? "", 10);
  // Compressed on its way, the length is that of something else.
  const size = Number.isFinite(length) && !response.headers.get("content-encoding") ? length : null;
  const mime = response.headers.get("content-type") ?? "application/octet-stream";
  const body = response.body ?? new Blob([]).stream();
  let received = 0;
  const counted = body.pipeThrough(
    new TransformStream({
      /** @param {Uint8Array} piece */
      transform(piece, controller) {
        received += piece.length;
        controller.enqueue(piece);
        how.onProgress?.(received, size);
      },
    }),
    { signal: how.signal },
  );
  return {
    name: nameIn(response.headers.get("content-disposition") ?? ""),
    mime,
    size,
    body: counted,
    blob: () =>
      new Response(counted).blob().then(
        (blob) => new Blob([blob], { type: mime }),
        (error) => {
          throw error instanceof TalkError || how.signal?.aborted ? error : unreachable("", error);
        },
      ),
  };
}

/** The name in a Content-Disposition. @param {string} text */
function nameIn(text) {
  const encoded = /filename\*=UTF-8''([^;]*)/i.exec(text)?.[1];
  const plain = /filename="((?:[^"\\]|\\.)*)"/i.exec(text)?.[1];
  try {
    if (encoded) return decodeURIComponent(encoded);
  } catch {
    // Then the plain one.
  }
  return plain?.replace(/\\(.)/g, "$1") ?? "file";
}
