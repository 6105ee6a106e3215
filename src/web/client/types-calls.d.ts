// Every call of the hub: what it takes and what it answers.

import type {
  AccessKey,
  Agent,
  Chat,
  Customer,
  FileRecord,
  Media,
  Message,
  Page,
  Participant,
  SignedIn,
} from "./types-wire.js";

export interface Aborting {
  signal?: AbortSignal;
}

/**
 * How a call is made. Those that make chats, members and messages always carry an idempotency key, theirs
 * or yours; the hub knows none for the others, which are not tried again when their answer is lost.
 */
export interface How extends Aborting {
  idempotencyKey?: string;
}

export interface PageOf extends Aborting {
  page_size?: number;
  page_token?: string;
  order?: "desc" | "asc";
}

export interface Owner {
  owner_type: "agent";
  owner_id: string;
}

export interface ChatCreate {
  type: "direct" | "group" | "talk";
  name?: string;
  detail?: string;
  /** Agents besides oneself. */
  participants?: Owner[];
}

export interface MessageCreate {
  chat_id: string;
  text?: string;
  medias?: Partial<Media>[];
  parent_id?: string;
  type?: "normal";
}

export interface UploadHow extends Aborting {
  /** Default: the name of the File, else "file". */
  name?: string;
  mime?: string;
  /** Bytes sent so far, and in all. */
  onProgress?: (sent: number, total: number) => void;
}

export interface DownloadHow extends Aborting {
  /** Bytes, both included, as in HTTP. */
  range?: [from: number, to?: number];
  onProgress?: (received: number, total: number | null) => void;
}

export interface Download {
  readonly name: string;
  readonly mime: string;
  readonly size: number | null;
  readonly body: ReadableStream<Uint8Array>;
  blob(): Promise<Blob>;
}

/** One function per endpoint, named as in `/openapi.json`. Each resolves with what the hub answered. */
export interface Calls {
  /** The whole address of a path of the hub, on the node in use. */
  address(path: string): string;

  login(body: { username: string; password: string }, how?: How): Promise<SignedIn>;
  /** A new token in exchange for a good one that this hub signed. */
  renew(how?: How): Promise<SignedIn>;
  /** Clears the cookie. */
  logout(how?: How): Promise<void>;

  getMe(how?: How): Promise<Agent>;
  updateMe(body: { name?: string; detail?: string }, how?: How): Promise<Agent>;
  updateMyStatus(status: string, how?: How): Promise<Agent>;
  updateMyPassword(password: string, how?: How): Promise<Agent>;
  ownCustomer(how?: How): Promise<Customer>;
  listColleagues(page?: PageOf): Promise<Page<Agent>>;
  getColleague(id: string, how?: How): Promise<Agent>;

  listChats(page?: PageOf): Promise<Page<Chat>>;
  createChat(body: ChatCreate, how?: How): Promise<Chat>;
  /** `name`: a part of it, in any case. */
  listChannels(page?: PageOf & { name?: string }): Promise<Page<Chat>>;
  getChat(id: string, how?: How): Promise<Chat>;
  updateChat(id: string, body: { name?: string; detail?: string }, how?: How): Promise<Chat>;
  deleteChat(id: string, how?: How): Promise<Chat>;
  joinChat(id: string, how?: How): Promise<Participant>;
  listParticipants(chatId: string, how?: How): Promise<Participant[]>;
  addParticipant(chatId: string, body: Owner, how?: How): Promise<Participant>;
  /** `null`: an answer was lost, and by the next try the member was gone. */
  removeParticipant(chatId: string, participantId: string, how?: How): Promise<Participant | null>;

  listMessages(page?: PageOf & { chat_id?: string; parent_id?: string }): Promise<Page<Message>>;
  createMessage(body: MessageCreate, how?: How): Promise<Message>;
  getMessage(id: string, how?: How): Promise<Message>;
  deleteMessage(id: string, how?: How): Promise<Message>;
  addReaction(messageId: string, emoji: string, how?: How): Promise<Message>;
  removeReaction(messageId: string, emoji: string, how?: How): Promise<Message>;

  listFiles(page?: PageOf): Promise<Page<FileRecord>>;
  /**
   * Bytes, a Blob or File; in Node also a stream with its `size`. Not tried again by itself, except after a
   * refused credential was replaced.
   */
  uploadFile(
    file: Blob | Uint8Array | { stream: AsyncIterable<Uint8Array>; size: number },
    how?: UploadHow,
  ): Promise<FileRecord>;
  getFile(id: string, how?: How): Promise<FileRecord>;
  deleteFile(id: string, how?: How): Promise<FileRecord>;
  downloadFile(id: string, how?: DownloadHow): Promise<Download>;

  listAccesskeys(page?: PageOf): Promise<Page<AccessKey>>;
  /** `expire`: seconds of life. */
  createAccesskey(body: { name?: string; detail?: string; expire?: number }, how?: How): Promise<AccessKey>;
  getAccesskey(id: string, how?: How): Promise<AccessKey>;
  updateAccesskey(id: string, body: { name?: string; detail?: string }, how?: How): Promise<AccessKey>;
  deleteAccesskey(id: string, how?: How): Promise<AccessKey>;

  listAgents(page?: PageOf): Promise<Page<Agent>>;
  createAgent(body: AgentCreate, how?: How): Promise<Agent>;
  getAgent(id: string, how?: How): Promise<Agent>;
  updateAgent(id: string, body: AgentUpdate, how?: How): Promise<Agent>;
  deleteAgent(id: string, how?: How): Promise<Agent>;

  /** With the admin token only. */
  listCustomers(page?: PageOf): Promise<Page<Customer>>;
  createCustomer(body: { name: string; detail?: string }, how?: How): Promise<Customer>;

  ping(how?: How): Promise<{ status: string }>;
  live(how?: How): Promise<{ status: string }>;
  ready(how?: How): Promise<{ status: string }>;
  metrics(how?: How): Promise<string>;
  openapi(how?: How): Promise<Record<string, unknown>>;
  asyncapi(how?: How): Promise<Record<string, unknown>>;
}

export interface AgentCreate {
  customer_id?: string;
  username: string;
  password: string;
  name?: string;
  detail?: string;
  permission?: number;
}

export interface AgentUpdate {
  name?: string;
  detail?: string;
  permission?: number;
  password?: string;
}
