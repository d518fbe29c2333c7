import assert from "node:assert/strict";
import { test } from "node:test";
import { Receiver, areExpired } from "./webrtc.js";

/** A peer connection whose statistics are what the test says. */
function receiver(...reports) {
  const result = new Receiver({}, null, {});
  result.peer = { getStats: async () => new Map(reports.map((report, index) => [index, report])) };
  return result;
}

const inbound = {
  type: "inbound-rtp", kind: "video", timestamp: 10_000, packetsReceived: 900, packetsLost: 4, jitter: 0.004,
  framesDecoded: 100, framesDropped: 2, framesPerSecond: 25, freezeCount: 1, totalFreezesDuration: 0.5,
  totalDecodeTime: 0.4, jitterBufferDelay: 6, jitterBufferEmittedCount: 100,
};

test("without a session there is nothing to tell", async () => {
  assert.equal(await new Receiver({}, null, {}).statistics(), null);
});

test("a session that gets nothing says that it counts nothing", async () => {
  const { peer } = await receiver().statistics();
  assert.equal(peer.packetsReceived, 0);
  assert.equal(peer.framesDecoded, 0);
  assert.equal(peer.firstFrameMilliseconds, undefined);
});

test("shares and times are those of the last interval", async () => {
  const current = receiver(inbound);
  await current.statistics();
  const later = {
    ...inbound, timestamp: 12_000, framesDecoded: 150, framesDropped: 7, totalFreezesDuration: 1, totalDecodeTime: 1.4,
    jitterBufferDelay: 11, jitterBufferEmittedCount: 150, freezeCount: 2,
  };
  const path = { type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.021 };
  current.peer.getStats = async () => new Map([[0, later], [1, path]]);
  const report = await current.statistics();
  assert.equal(report.freezeShare, 0.25);
  assert.equal(report.dropShare, 0.1);
  assert.equal(Math.round(report.decodeMilliseconds), 20);
  assert.equal(Math.round(report.bufferMilliseconds), 100);
  assert.equal(report.freezes, 2);
  assert.equal(report.peer.packetsReceived, 900);
  assert.equal(report.peer.roundTripMilliseconds, 21);
  assert.equal(report.peer.jitterMilliseconds, 4);
});

test("the first frame is timed from the offer", async () => {
  const current = receiver(inbound);
  Object.assign(current, { offeredAt: 1000, firstFrameAt: 1180 });
  assert.equal((await current.statistics()).peer.firstFrameMilliseconds, 180);
});

test("the time in front of a TURN username is its last second", () => {
  const servers = [{ urls: "stun:a" }, { urls: "turn:a", username: "1800000000:v1", credential: "x" }];
  assert.equal(areExpired(servers, 1_799_999_999_000), false);
  assert.equal(areExpired(servers, 1_800_000_001_000), true);
  assert.equal(areExpired([{ urls: "turn:a", username: "ana" }]), false);
});

test("a refused server is told, one out of reach only when there is nothing worse", async () => {
  const listeners = {};
  class Peer {
    addEventListener(name, listener) {
      listeners[name] = listener;
    }
    async setLocalDescription() {
      this.localDescription = { sdp: "v=0" };
    }
    async getStats() {
      return new Map();
    }
    close() {}
  }
  globalThis.MediaStream = class {};
  const current = new Receiver({}, () => new Peer(), { offer() {}, frames() {} });
  await current.start([{ urls: "turn:a", username: "1:v1" }]);
  listeners.icecandidateerror({ errorCode: 701, url: "turn:a" });
  assert.equal((await current.statistics()).peer.serverError, 701);
  listeners.icecandidateerror({ errorCode: 401, url: "turn:a" });
  listeners.icecandidateerror({ errorCode: 701, url: "turn:b" });
  const { peer } = await current.statistics();
  assert.equal(peer.serverError, 401);
  assert.equal(peer.areCredentialsExpired, true);
  current.stop();
  delete globalThis.MediaStream;
});

test("an offer made ahead is not made again, and its peer gets the ICE servers", async () => {
  const log = [];
  class Peer {
    constructor(iceServers) {
      log.push(`new ${iceServers.length}`);
    }
    addEventListener() {}
    setConfiguration({ iceServers }) {
      log.push(`configured ${iceServers.length}`);
    }
    async setLocalDescription(description) {
      log.push(`local ${description?.sdp}`);
      this.localDescription = description ?? { sdp: "v=0 later" };
    }
    async getStats() {
      return new Map();
    }
    close() {
      log.push("closed");
    }
  }
  globalThis.MediaStream = class {};
  const receiver = () =>
    new Receiver({}, (iceServers) => new Peer(iceServers), { offer: (sdp) => log.push(`offer ${sdp}`), frames() {} });
  const ahead = (offeredAt) => ({ peer: new Peer([]), sdp: "v=0 ahead", offeredAt });

  const current = receiver();
  const first = ahead(120);
  current.prepare(first);
  await current.start([{ urls: "stun:a" }]);
  assert.equal(current.peer, first.peer);
  assert.deepEqual(log, ["new 0", "configured 1", "local v=0 ahead"]);
  assert.equal(current.offeredAt, 120);

  // The next session makes its own.
  assert.equal(current.takeOffer(), null);
  await current.start([{ urls: "stun:a" }]);
  assert.deepEqual(log.slice(3), ["closed", "new 1", "local undefined", "offer v=0 later"]);

  // One whose connection came to nothing is offered again, ahead or with its session.
  const other = receiver();
  const lost = ahead(120);
  other.prepare(lost);
  other.untakeOffer();
  assert.equal(other.takeOffer(), lost);
  assert.notEqual(lost.offeredAt, null);
  other.untakeOffer();
  await other.start([]);
  assert.equal(log.at(-1), "offer v=0 ahead");
  for (const one of [current, other]) one.stop();
  delete globalThis.MediaStream;
});
