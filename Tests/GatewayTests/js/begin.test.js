import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Signalling } from "./signalling.js";

/** A connection that does what the test says. */
class Socket {
  static OPEN = 1;
  static CLOSED = 3;

  constructor(url) {
    this.url = url;
    this.readyState = 0;
    this.sent = [];
    Socket.made.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text).type);
  }

  close() {}

  open() {
    this.readyState = Socket.OPEN;
    this.onopen();
  }

  hear(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  end() {
    this.readyState = Socket.CLOSED;
    this.onclose?.();
  }
}

/** Runs the document's own script, which finds the browser that the test wants. */
function begin(createOffer) {
  Socket.made = [];
  globalThis.WebSocket = Socket;
  const location = { pathname: "/yard/gate%20north/", protocol: "https:", host: "relay:8443" };
  globalThis.RTCPeerConnection = class {
    addTransceiver() {}
    setConfiguration() {}
    createOffer = createOffer;
  };
  const script = readFileSync(new URL("./begin.js", import.meta.url), "utf8");
  return new Function("location", "navigator", `${script}; return begun;`)(location, {});
}

/** The page's end of a connection that was begun, and what it hears. */
function signalling(begun) {
  const heard = [];
  const events = { message: ({ type }) => heard.push(type), opened: () => heard.push("opened"), closed: (n) => heard.push(n) };
  return { heard, page: new Signalling("wss://relay/ws", begun, () => ({ type: "hello" }), events) };
}

test("the offer goes out behind the first message, whichever is ready first", async () => {
  const early = begin(async () => ({ sdp: "v=0" }));
  assert.equal(early.socket.url, "wss://relay:8443/yard/gate north/ws");
  assert.equal((await early.offer).offeredAt, null);
  early.socket.open();
  assert.deepEqual(early.socket.sent, ["hello", "offer"]);
  assert.notEqual((await early.offer).offeredAt, null);

  let settle;
  const late = begin(() => new Promise((resolve) => (settle = resolve)));
  late.socket.open();
  assert.deepEqual(late.socket.sent, ["hello"]);
  settle({ sdp: "v=0" });
  assert.notEqual((await late.offer).offeredAt, null);
  assert.deepEqual(late.socket.sent, ["hello", "offer"]);
});

test("without WebRTC there is a connection and no offer", async () => {
  const refused = begin(async () => {
    throw new Error("not here");
  });
  refused.socket.open();
  assert.equal(await refused.offer, null);
  assert.deepEqual(refused.socket.sent, ["hello"]);
});

test("what the relay said before the page listened is not lost", () => {
  const begun = begin(async () => ({ sdp: "v=0" }));
  begun.socket.open();
  begun.socket.hear({ type: "welcome" });
  const { heard, page } = signalling(begun);
  page.hurry();
  assert.equal(Socket.made.length, 1, "nothing is hurried that has just begun");
  page.open();
  begun.socket.hear({ type: "answer" });
  assert.deepEqual(heard, ["welcome", "answer"]);
  assert.equal(page.isOpen, true);
  page.end();
});

test("a first connection that is gone before the page listened is made anew", () => {
  const begun = begin(async () => ({ sdp: "v=0" }));
  begun.socket.end();
  const { heard, page } = signalling(begun);
  page.open();
  assert.deepEqual(heard, [1]);
  page.hurry();
  assert.equal(Socket.made.length, 2);
  Socket.made[1].open();
  assert.deepEqual(Socket.made[1].sent, ["hello"]);
  assert.deepEqual(heard, [1, "opened"]);
  page.end();
});
