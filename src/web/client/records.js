// Messages as the hub has them, each with how far its replies are counted.
//
// The hub tells of a reply by the reply itself, never by its parent, so the parent's `reply_count` is
// counted here. A message that an event made has none and counts exactly. One that REST told of was
// read at some moment between two known numbers, `lo` and `hi`: a reply up to `lo` is in its count,
// one after `hi` is not, and one between puts it in doubt, which ends by reading it again.
// @ts-check

/** @import { Message, Row, TalkError } from "./index.js" */

/**
 * @typedef {object} Record
 * @property {Message} message as the hub has it, without `reply_count`
 * @property {number} count its replies
 * @property {number} lo replies up to here are counted
 * @property {number} hi replies up to here may be counted
 * @property {boolean} doubt
 * @property {Row | null} row made when asked for
 */

/**
 * @param {Message} message
 * @param {number} count
 * @param {number} lo
 * @param {number} hi
 * @returns {Record}
 */
export function record(message, count, lo, hi) {
  return { message: bare(message), count, lo, hi: Math.max(lo, hi), doubt: false, row: null };
}

/**
 * Takes what is newer: `tm_update` grows with every change of a message but its replies.
 * @param {Record} known
 * @param {Message} message
 * @returns {boolean} whether something changed
 */
export function renew(known, message) {
  if (message.tm_update <= known.message.tm_update) return false;
  known.message = bare(message);
  known.row = null;
  return true;
}

/**
 * A reply came, as event number `seq`.
 * @param {Record} parent
 * @param {number} seq
 * @returns {boolean} whether something changed
 */
export function countReply(parent, seq) {
  if (seq <= parent.lo || parent.doubt) return false;
  if (seq <= parent.hi) {
    parent.doubt = true;
    return false;
  }
  parent.count += 1;
  parent.lo = seq;
  parent.row = null;
  return true;
}

/**
 * The message with its count, as the hub writes it.
 * @param {Record} known
 * @returns {Message}
 */
export function whole(known) {
  return known.count > 0 ? { ...known.message, reply_count: known.count } : known.message;
}

/** @param {Message} message */
function bare(message) {
  if (message.reply_count === undefined) return message;
  const { reply_count: _, ...rest } = message;
  return rest;
}

/**
 * Where in a list ordered by `seq` this number is, or would be.
 * @param {readonly Record[]} list
 * @param {number} seq
 */
export function placeOf(list, seq) {
  let low = 0;
  let high = list.length;
  // What comes is mostly the newest.
  if (high > 0 && seqOf(list, high - 1) < seq) return high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (seqOf(list, middle) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {readonly Record[]} list @param {number} place */
function seqOf(list, place) {
  return list[place]?.message.seq ?? Infinity;
}

/**
 * Puts a record in its place, unless it is there.
 * @param {Record[]} list
 * @param {Record} known
 */
export function insert(list, known) {
  const place = placeOf(list, known.message.seq);
  if (list[place]?.message.id === known.message.id) return false;
  list.splice(place, 0, known);
  return true;
}
