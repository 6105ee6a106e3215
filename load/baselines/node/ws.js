// Node's `ws`, as its documentation broadcasts: one send for each subscriber.
//
// A connection to /subscribe is a subscriber, one to /publish a publisher. What a publisher sends as a text frame goes
// verbatim to every subscriber. Compression is off, as it is in the hub. Prints the address when it listens.

import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";

const MESSAGE_BYTES_MAX = 64 * 1024;
const port = Number(process.argv[2] ?? 0);

const subscribers = new Set();
const server = createServer((_, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false, maxPayload: MESSAGE_BYTES_MAX });

sockets.on("connection", (socket, request) => {
  socket.on("error", () => socket.terminate());
  if (request.url.startsWith("/publish")) {
    socket.on("message", (data) => {
      // Text of one encoding for all: `ws` would turn it into bytes again for each.
      for (const subscriber of subscribers) {
        if (subscriber.readyState === WebSocket.OPEN) subscriber.send(data, { binary: false });
      }
    });
  } else {
    subscribers.add(socket);
    socket.on("close", () => subscribers.delete(socket));
  }
});

server.listen({ port, host: "127.0.0.1", backlog: 4096 }, () => console.log(`ws://127.0.0.1:${server.address().port}/`));
