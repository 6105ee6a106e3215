// Whatever goes wrong, in one shape: refusals of the hub, faults of the network, times that ran out.
// Promises: a TalkError never holds a credential, and says whether another try can help.
// @ts-check

/** @import { TalkErrorFacts } from "./index.js" */

/** Statuses after which the same call may succeed later. */
const TEMPORARY = new Set(["RESOURCE_EXHAUSTED", "UNAVAILABLE", "NETWORK", "TIMEOUT"]);

export class TalkError extends Error {
  /** @param {TalkErrorFacts} facts */
  constructor(facts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "TalkError";
    this.http = facts.http ?? 0;
    this.status = facts.status;
    this.reason = facts.reason;
    this.requestId = facts.requestId ?? "";
    this.retryAfter = facts.retryAfter ?? null;
    this.temporary = TEMPORARY.has(facts.status);
  }
}

/**
 * A refusal, from the envelope in the body; or from the status alone, when a proxy answered.
 * @param {Response} response
 * @param {string} requestId
 */
export async function refusal(response, requestId) {
  const told = await response.json().catch(() => null);
  const error = told?.error ?? {};
  return errorOf(response.status, error, response.headers.get("retry-after"), requestId);
}

/**
 * @param {number} http
 * @param {{ status?: string, reason?: string, message?: string, request_id?: string }} error
 * @param {string | null} retryAfter
 * @param {string} requestId
 */
export function errorOf(http, error, retryAfter, requestId) {
  const seconds = Number.parseInt(retryAfter ?? "", 10);
  return new TalkError({
    http,
    status: error.status ?? (http === 429 ? "RESOURCE_EXHAUSTED" : http >= 502 ? "UNAVAILABLE" : "UNKNOWN"),
    reason: error.reason ?? `HTTP_${http}`,
    message: error.message ?? `the hub answered ${http}`,
    requestId: error.request_id ?? requestId,
    retryAfter: Number.isFinite(seconds) ? seconds : null,
  });
}

/**
 * No answer came.
 * @param {string} requestId
 * @param {unknown} cause
 */
export function unreachable(requestId, cause) {
  return new TalkError({ status: "NETWORK", reason: "NO_ANSWER", message: "the hub cannot be reached", requestId, cause });
}

/**
 * An answer did not come in time.
 * @param {string} requestId
 */
export function tooLate(requestId) {
  return new TalkError({ status: "TIMEOUT", reason: "NO_ANSWER_IN_TIME", message: "the hub did not answer in time", requestId });
}

/** This side has ended, and with it what was under way. */
export function closed() {
  return new TalkError({ status: "CLOSED", reason: "CLOSED", message: "signed out or closed meanwhile" });
}

/**
 * Something that cannot be asked of the model.
 * @param {string} reason
 * @param {string} message
 */
export function impossible(reason, message) {
  return new TalkError({ status: "FAILED_PRECONDITION", reason, message });
}

/**
 * @param {unknown} error
 * @returns {TalkError}
 */
export function asTalkError(error) {
  if (error instanceof TalkError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TalkError({ status: "INTERNAL", reason: "CLIENT_FAULT", message, cause: error });
}
