// What the model refuses at once, without asking the hub, in plain words.
// @ts-check

/** @type {Record<string, string>} */
const MEANINGS = {
  NOT_IN_MODEL: 'You are not, or no longer, in this chat.',
  TOO_MANY_PENDING: 'Too many messages of this chat wait to be sent. What you wrote is kept: send it when some of them are gone.',
  TOO_MANY_LOADED: 'No more messages of this chat can be shown here.',
};

/**
 * The error, with words for the person where it is one of these.
 * @param {any} error
 * @returns {unknown}
 */
export function plainly(error) {
  const meaning = MEANINGS[error?.reason];
  return meaning ? Object.assign(new Error(meaning), { reason: error.reason }) : error;
}
