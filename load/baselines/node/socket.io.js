// Socket.IO with its redis-streams adapter, as a chat product runs it: several nodes could share the Redis server, and a
// client that was away for up to two minutes gets what it missed (connection state recovery). Without these two it would
// be another product: the hub gives both, always.
//
// A connection with the query role=publisher emits "publish" with one event; it goes to the room that those with
// role=subscriber are in, as "event". WebSocket transport only, compression off (which is its default, and the hub's).
// Prints the address when it listens.

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const ROOM = "chat";
const MESSAGE_BYTES_MAX = 64 * 1024;
// The adapter's own default.
const STREAM_ENTRIES_MAX = 10_000;
// Socket.IO's own default.
const AWAY_MAX_MS = 2 * 60 * 1000;

const port = Number(process.argv[2] ?? 0);
const redis = createClient({ url: process.argv[3] });
redis.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
await redis.connect();

const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(redis, { maxLen: STREAM_ENTRIES_MAX }),
  connectionStateRecovery: { maxDisconnectionDuration: AWAY_MAX_MS, skipMiddlewares: true },
  transports: ["websocket"],
  perMessageDeflate: false,
  maxHttpBufferSize: MESSAGE_BYTES_MAX,
  serveClient: false,
});

io.on("connection", (socket) => {
  if (socket.handshake.query.role === "publisher") {
    socket.on("publish", (event) => io.to(ROOM).emit("event", event));
  } else {
    socket.join(ROOM);
  }
});

http.listen({ port, host: "127.0.0.1", backlog: 4096 }, () => console.log(`http://127.0.0.1:${http.address().port}/`));
