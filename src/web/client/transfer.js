// Files up and down, as streams, with progress.
//
// Promises: what is sent or received is told in bytes as it goes; neither is held whole in memory
// except where a browser has no other way; no upload is repeated by itself, since a file would then
// be there twice, except when its credential was refused; where nothing goes on for `stallMs`, it ends.
// @ts-check

import { TalkError, errorOf, tooLate, unreachable } from "./error.js";
import { randomId } from "./http.js";
import { Alarm, anyOf, unless } from "./pace.js";

/** @import { Calls, Download, DownloadHow, FileRecord, UploadHow } from "./index.js" */
/** @import { Http } from "./http.js" */
/** @import { Settled } from "./options.js" */

/** Where a stream's credential is tried before it is sent. */
const ASKED_BEFORE = "/v1.0/service_agents/me";
/** Bytes of a piece of what is sent from memory. */
const PIECE_BYTES = 64 * 1024;

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
    return uploadInBrowser(http, options, path, blob, name, how);
  }
  // A stream of somebody else's can be read only once, so a refused credential is replaced before.
  const once = !(file instanceof Blob || file instanceof Uint8Array);
  if (once) await http.json({ method: "GET", path: ASKED_BEFORE, signal: how.signal });
  const watch = watched(http, options, how.signal);
  const parts = multipart(file, name, mime, (sent, total) => {
    watch.moved();
    how.onProgress?.(sent, total);
  });
  try {
    const { body } = await http.response(
      {
        method: "POST",
        path,
        // Only Node comes here, which can make a stream of what it iterates over.
        raw: () => /** @type {any} */ (ReadableStream).from(parts.bytes()),
        once,
        headers: { "Content-Type": parts.type },
        signal: watch.signal,
        tries: 1,
        ms: 0,
      },
      (response) => response.json(),
    );
    return body;
  } finally {
    watch.end();
  }
}

/**
 * What ends a transfer: its caller, the end of the sign-in, or a time in which nothing has moved.
 * @param {Http} http
 * @param {Settled} options
 * @param {AbortSignal} [signal]
 */
function watched(http, options, signal) {
  const stalled = new AbortController();
  const alarm = new Alarm(() => stalled.abort(tooLate("")));
  const any = anyOf([signal, http.ended, stalled.signal]);
  const moved = () => alarm.set(options.stallMs);
  moved();
  return {
    signal: any.signal,
    moved,
    /** Nothing is waited for at the moment. */
    rest: () => alarm.clear(),
    end() {
      alarm.clear();
      any.end();
    },
  };
}

/**
 * The body of a form with one file, piece by piece; `bytes` begins it anew.
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
  return { type: `multipart/form-data; boundary=${boundary}`, bytes };
}

/**
 * @param {Parameters<Calls["uploadFile"]>[0]} file
 * @returns {[AsyncIterable<Uint8Array> | Iterable<Uint8Array>, number]}
 */
function piecesOf(file) {
  if (file instanceof Uint8Array) return [slices(file), file.length];
  if (file instanceof Blob) return [/** @type {any} */ (file.stream()), file.size];
  return [file.stream, file.size];
}

/** In pieces whose going can be told. @param {Uint8Array} bytes */
function* slices(bytes) {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/**
 * @param {Http} http
 * @param {Settled} options
 * @param {string} path
 * @param {Blob} blob
 * @param {string} name
 * @param {UploadHow} how
 * @returns {Promise<FileRecord>}
 */
async function uploadInBrowser(http, options, path, blob, name, how) {
  const token = http.session?.token ?? null;
  try {
    return await sendInBrowser(http, options, path, blob, name, how);
  } catch (error) {
    const refused = error instanceof TalkError && error.http === 401;
    if (!refused || !(await http.session?.refused(token))) throw error;
    return sendInBrowser(http, options, path, blob, name, how);
  }
}

/**
 * Browsers tell the progress of an upload only this way.
 * @param {Http} http
 * @param {Settled} options
 * @param {string} path
 * @param {Blob} blob
 * @param {string} name
 * @param {UploadHow} how
 * @returns {Promise<FileRecord>}
 */
function sendInBrowser(http, options, path, blob, name, how) {
  const requestId = randomId("web-");
  const watch = watched(http, options, how.signal);
  return new Promise((resolve, reject) => {
    if (watch.signal.aborted) throw watch.signal.reason;
    const request = new XMLHttpRequest();
    const settle = (/** @type {() => void} */ tell) => () => {
      watch.end();
      tell();
    };
    request.open("POST", http.url + path);
    request.responseType = "json";
    request.setRequestHeader("X-Request-Id", requestId);
    if (http.session?.token) request.setRequestHeader("Authorization", `Bearer ${http.session.token}`);
    request.upload.onprogress = (event) => {
      watch.moved();
      how.onProgress?.(Math.min(event.loaded, blob.size), blob.size);
    };
    request.onerror = settle(() => reject(unreachable(requestId, undefined)));
    request.onabort = settle(() => reject(watch.signal.reason));
    request.onload = settle(() => {
      const error = request.response?.error ?? {};
      if (request.status === 200) resolve(request.response);
      else reject(errorOf(request.status, error, request.getResponseHeader("Retry-After"), requestId));
    });
    watch.signal.addEventListener("abort", () => request.abort(), { once: true });
    const form = new FormData();
    form.append("type", "talk");
    form.append("file", blob, name);
    request.send(form);
  });
}

/**
 * @param {Http} http
 * @param {Settled} options
 * @param {string} path
 * @param {DownloadHow} [how]
 * @returns {Promise<Download>}
 */
export async function download(http, options, path, how = {}) {
  /** @type {Record<string, string>} */
  const headers = how.range ? { Range: `bytes=${how.range[0]}-${how.range[1] ?? ""}` } : {};
  const { response } = await http.response({ method: "GET", path, headers, signal: how.signal }, () => null);
  const length = Number.parseInt(response.headers.get("content-length") ?? "", 10);
  // Compressed on its way, the length is that of something else.
  const size = Number.isFinite(length) && !response.headers.get("content-encoding") ? length : null;
  const mime = response.headers.get("content-type") ?? "application/octet-stream";
  const body = counted(response.body ?? new Blob([]).stream(), watched(http, options, how.signal), (received) =>
    how.onProgress?.(received, size),
  );
  const name = nameIn(response.headers.get("content-disposition") ?? "");
  const blob = async () => new Blob([await new Response(body).blob()], { type: mime });
  return { name, mime, size, body, blob };
}

/**
 * The same bytes, told as they come; only what is waited for can stall, not who reads slowly.
 * @param {ReadableStream<Uint8Array>} body
 * @param {ReturnType<typeof watched>} watch
 * @param {(received: number) => void} progress
 * @returns {ReadableStream<Uint8Array>}
 */
function counted(body, watch, progress) {
  const reader = body.getReader();
  let received = 0;
  watch.rest();
  watch.signal.addEventListener("abort", () => void reader.cancel().catch(() => {}), { once: true });
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          watch.moved();
          const { done, value } = await unless(reader.read(), watch.signal);
          watch.rest();
          // Called off, it looks like its end.
          if (watch.signal.aborted) throw watch.signal.reason;
          if (!done) {
            received += value.length;
            controller.enqueue(value);
            progress(received);
            return;
          }
          watch.end();
          controller.close();
        } catch (error) {
          watch.end();
          reader.cancel(error).catch(() => {});
          throw error instanceof TalkError || watch.signal.aborted ? error : unreachable("", error);
        }
      },
      cancel(reason) {
        watch.end();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
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
