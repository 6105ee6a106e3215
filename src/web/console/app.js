// What every room of the console is given: the connection, and what rooms ask of each other. No
// room knows another; they meet here.
// @ts-check

/**
 * @typedef {object} App
 * @property {import('/client/index.js').Talk} talk
 * @property {import('/client/index.js').Store} store
 * @property {import('/client/index.js').Calls} calls
 * @property {() => import('./route.js').Place} place What is open.
 * @property {(chatId: string, how?: { instead?: boolean }) => void} openChat
 * @property {(chatId: string, messageId: string) => void} openThread
 * @property {(chatId: string) => void} toggleMembers
 * @property {() => void} closePanel
 * @property {() => void} showList On a narrow window: back to the list of chats.
 * @property {() => void} focusComposer
 * @property {() => void} signOut
 * @property {(error: unknown) => void} failed Tells why something did not work.
 * @property {typeof import('./dialogs.js').openDialog} dialog
 * @property {(chatId: string, messageId: string) => import('/client/index.js').Message | null} lastReply Of the loaded ones.
 * @property {(chatId: string) => void} need Loads a chat that is in view but not known yet, soon.
 * @property {import('./drafts.js').Drafts} drafts
 * @property {AbortSignal} signal Ends what listens beyond the console's own elements.
 * @property {string} hubName What the customer is called.
 */

/** Nothing is exported but the type. */
export {};
