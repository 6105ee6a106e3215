// What the hub tells, in the wire's words. Times are UTC, "YYYY-MM-DD HH:MM:SS.ffffff".

export interface Agent {
  id: string;
  customer_id: string;
  username: string;
  name: string;
  detail: string;
  /** `available`, `away`, `busy`, `offline` or `ringing`. */
  status: string;
  /** Bits: 16 agent, 32 customer admin, 64 customer manager. */
  permission: number;
  tm_create: string;
  tm_update: string;
  tm_delete: string;
}

export interface Customer {
  id: string;
  name: string;
  detail: string;
  tm_create: string;
  tm_update: string;
  tm_delete: string;
}

export interface Chat {
  id: string;
  customer_id: string;
  type: "direct" | "group" | "talk";
  name: string;
  detail: string;
  member_count: number;
  tm_create: string;
  tm_update: string;
  /** `""` while it is not deleted; of messages too. */
  tm_delete: string;
  /** Number of the chat's newest event. */
  seq: number;
  /** Where that event stands. */
  cursor: string;
  /** In lists of channels only: whether the caller is a member. */
  joined?: boolean;
}

export interface Participant {
  id: string;
  customer_id: string;
  owner_type: "agent";
  owner_id: string;
  chat_id: string;
  tm_joined: string;
}

export interface Reaction {
  emoji: string;
  owner_type: "agent";
  owner_id: string;
  tm_create: string;
}

export interface Media {
  /** `file`, `link`, `agent`, `address`, or a MIME type. */
  type: string;
  file_id?: string;
  link_url?: string;
  agent_id?: string;
  address?: Record<string, unknown>;
  url?: string;
  name?: string;
}

export interface Message {
  id: string;
  customer_id: string;
  owner_type: "agent" | "system";
  owner_id: string;
  chat_id: string;
  parent_id?: string;
  type: "normal" | "system";
  text: string;
  medias: Media[];
  metadata: { reactions: Reaction[] };
  tm_create: string;
  tm_update: string;
  tm_delete: string;
  seq: number;
  /** Direct replies, deleted ones included; left out when there are none. */
  reply_count?: number;
}

export interface FileRecord {
  id: string;
  customer_id: string;
  owner_type: "agent";
  owner_id: string;
  type: string;
  name: string;
  mime: string;
  size: number;
  /** A path of the hub: `talk.calls.address(url)` makes it whole. */
  url: string;
  tm_create: string;
  tm_update: string;
  tm_delete: string;
}

export interface AccessKey {
  id: string;
  customer_id: string;
  agent_id: string;
  name: string;
  detail: string;
  /** The whole key; only in the answer that made it. */
  token?: string;
  token_prefix: string;
  tm_expire: string;
  tm_create: string;
  tm_update: string;
  tm_delete: string;
}

export interface Page<T> {
  result: T[];
  /** `""` only when `result` is empty. */
  next_page_token: string;
}

export interface SignedIn {
  username: string;
  token: string;
}
