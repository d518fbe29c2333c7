import assert from "node:assert/strict";
import { test } from "node:test";
import { Delivery } from "./delivery.js";

/** A page without a browser: a clock that is turned by hand, and what was asked of it. */
class Page {
  constructor() {
    this.time = 0;
    this.log = [];
    this.webrtcFlows = false;
    this.hlsFlows = false;
    this.delivery = new Delivery(
      {
        startWebRTC: () => this.log.push("start webrtc"),
        stopWebRTC: () => this.log.push("stop webrtc"),
        startHLS: () => this.log.push("start hls"),
        stopHLS: () => this.log.push("stop hls"),
        show: (kind) => this.log.push(`show ${kind}`),
      },
      () => this.time,
    );
  }

  join(policy = "auto", source = { state: "live", codec: "H264", gopMilliseconds: 2000 }) {
    this.delivery.welcomed(policy, source);
    return this;
  }

  /** Lets time pass; frames come on whatever runs and is said to flow. */
  pass(milliseconds) {
    for (const end = this.time + milliseconds; this.time < end; ) {
      this.time += 100;
      if (this.webrtcFlows && this.delivery.webrtc.phase !== "off") this.delivery.webrtcFrames();
      if (this.hlsFlows && this.delivery.hls.phase !== "off") this.delivery.hlsFrames();
      this.delivery.tick();
    }
    return this;
  }

  get shown() {
    return this.delivery.shown;
  }

  take() {
    return this.log.splice(0);
  }
}

test("WebRTC that works at once is shown and HLS is never asked for", () => {
  const page = new Page().join();
  page.webrtcFlows = true;
  page.pass(60000);
  assert.deepEqual(page.take(), ["start webrtc", "show webrtc"]);
});

test("a fixed delivery is not said to be the relay's when it may be the camera's", () => {
  const page = new Page().join("hls").pass(100);
  assert.deepEqual(page.take(), ["start hls"]);
  assert.equal(page.delivery.why, "HLS is set by the operator");
});

test("HLS is started when WebRTC has shown nothing for a second", () => {
  const page = new Page().join().pass(900);
  assert.deepEqual(page.take(), ["start webrtc"]);
  page.pass(200);
  assert.deepEqual(page.take(), ["start hls"]);
});

test("WebRTC that comes late replaces HLS after two healthy seconds, and HLS is stopped", () => {
  const page = new Page().join();
  page.hlsFlows = true;
  page.pass(2000);
  assert.equal(page.shown, "hls");
  page.webrtcFlows = true;
  page.pass(1900);
  assert.equal(page.shown, "hls");
  page.pass(400);
  assert.equal(page.shown, "webrtc");
  page.pass(1000);
  assert.deepEqual(page.take(), ["start webrtc", "start hls", "show hls", "show webrtc", "stop hls"]);
});

test("with UDP blocked HLS shows within two seconds and WebRTC is given up after seven", () => {
  const page = new Page().join();
  page.hlsFlows = true;
  page.pass(2000);
  assert.equal(page.shown, "hls");
  page.pass(5200);
  assert.equal(page.delivery.webrtc.phase, "off");
  assert.match(page.delivery.why, /UDP may be blocked/);
});

test("a refused offer means HLS at once and no second offer until the codec changes", () => {
  const page = new Page().join();
  page.hlsFlows = true;
  page.delivery.refused("incompatible", "no H.264");
  page.pass(300);
  assert.equal(page.shown, "hls");
  page.take();
  page.pass(600000);
  assert.deepEqual(page.take(), []);
  page.delivery.sourceChanged({ state: "live", codec: "VP8", gopMilliseconds: 2000 });
  page.pass(300);
  assert.deepEqual(page.take(), ["start webrtc"]);
});

test("a stalled picture falls back after three seconds without a click", () => {
  const page = new Page().join();
  page.webrtcFlows = true;
  page.hlsFlows = true;
  page.pass(5000);
  page.take();
  page.webrtcFlows = false;
  page.pass(2900);
  assert.deepEqual(page.take(), []);
  page.pass(400);
  assert.deepEqual(page.take(), ["stop webrtc", "start hls", "show hls"]);
});

test("keyframes only, which the relay announced, are no stall; the limit is a GOP longer and ends with it", () => {
  const page = new Page().join("auto", { state: "live", codec: "H264", gopMilliseconds: 4000 });
  page.webrtcFlows = true;
  page.hlsFlows = true;
  page.pass(5000);
  page.take();
  page.delivery.thinned(true);
  page.webrtcFlows = false;
  page.pass(6900);
  assert.deepEqual(page.take(), []);
  page.delivery.thinned(false);
  page.pass(2900);
  assert.deepEqual(page.take(), []);
  page.pass(400);
  assert.deepEqual(page.take().slice(0, 1), ["stop webrtc"]);
});

test("B-frames that begin while WebRTC plays lead to HLS, and their end leads back", () => {
  const source = { state: "live", codec: "H264", gopMilliseconds: 2000, bframes: false };
  const page = new Page().join("auto", source);
  page.webrtcFlows = true;
  page.hlsFlows = true;
  page.pass(5000);
  page.take();
  page.delivery.sourceChanged({ ...source, bframes: true });
  page.pass(300);
  assert.equal(page.shown, "hls");
  assert.match(page.delivery.why, /B-frames/);
  page.take();
  page.pass(600000);
  assert.deepEqual(page.take(), []);
  page.delivery.sourceChanged(source);
  page.pass(300);
  assert.deepEqual(page.take(), ["start webrtc"]);
});

test("a trial is hidden, has to run three seconds clean, and comes after 15 s, 30 s, 60 s when WebRTC keeps breaking", () => {
  const page = new Page().join();
  page.webrtcFlows = true;
  page.hlsFlows = true;
  page.pass(5000);
  const pauses = [];
  for (let round = 0; round < 3; round += 1) {
    page.webrtcFlows = false;
    while (page.delivery.webrtc.phase !== "off") page.pass(100);
    const from = page.time;
    page.webrtcFlows = true;
    while (page.delivery.webrtc.phase === "off") page.pass(100);
    pauses.push(Math.round((page.time - from) / 1000));
    assert.equal(page.shown, "hls");
    page.pass(2500);
    assert.equal(page.shown, "hls");
    page.pass(1000);
    assert.equal(page.shown, "webrtc");
  }
  assert.deepEqual(pauses, [15, 30, 60]);
});

test("wherever UDP is unblocked in the first five minutes, the page is back on WebRTC within 40 s", () => {
  for (let unblocked = 5; unblocked < 300; unblocked += 7) {
    const page = new Page().join();
    page.hlsFlows = true;
    page.pass(unblocked * 1000);
    page.webrtcFlows = true;
    page.pass(40000);
    assert.equal(page.shown, "webrtc", `unblocked at ${unblocked} s`);
  }
});

test("a trial with a gap starts its three clean seconds anew", () => {
  const page = new Page().join();
  page.hlsFlows = true;
  page.pass(22500);
  assert.equal(page.delivery.webrtc.phase, "connecting");
  page.delivery.webrtcFrames();
  page.pass(1500);
  page.webrtcFlows = true;
  page.pass(2500);
  assert.equal(page.shown, "hls");
  page.pass(1000);
  assert.equal(page.shown, "webrtc");
});

test("while the camera is down nothing flaps, and the picture resumes by itself", () => {
  const page = new Page().join();
  page.webrtcFlows = true;
  page.pass(5000);
  page.take();
  page.delivery.sourceChanged({ state: "stopped", codec: "H264", gopMilliseconds: 2000 });
  page.webrtcFlows = false;
  page.pass(120000);
  assert.deepEqual(page.take(), []);
  page.delivery.sourceChanged({ state: "live", codec: "H264", gopMilliseconds: 2000 });
  page.pass(3000);
  page.webrtcFlows = true;
  page.pass(5000);
  assert.deepEqual(page.take(), []);
  assert.equal(page.shown, "webrtc");
});

test("a camera that is down at first is waited for, not fallen back from", () => {
  const page = new Page().join("auto", { state: "retrying", codec: null });
  page.delivery.refused("unavailable", "no picture yet", 2);
  page.pass(60000);
  assert.deepEqual(page.take(), ["start webrtc", "stop webrtc"]);
  page.delivery.sourceChanged({ state: "live", codec: "H264", gopMilliseconds: 2000 });
  page.webrtcFlows = true;
  page.pass(300);
  assert.equal(page.shown, "webrtc");
});

test("an order to HLS brings it up hidden, swaps, ends the peer and stays", () => {
  const page = new Page().join();
  page.webrtcFlows = true;
  page.pass(5000);
  page.take();
  page.delivery.switched("hls", "the operator asked for it");
  page.pass(2000);
  assert.equal(page.shown, "webrtc");
  assert.deepEqual(page.take(), ["start hls"]);
  page.hlsFlows = true;
  page.pass(2000);
  assert.deepEqual(page.take(), ["show hls", "stop webrtc"]);
  page.pass(600000);
  assert.deepEqual(page.take(), []);
});

test("an order to WebRTC swaps as soon as it shows frames, and auto after HLS tries again", () => {
  const page = new Page().join("hls");
  page.hlsFlows = true;
  page.webrtcFlows = true;
  page.pass(60000);
  assert.deepEqual(page.take(), ["start hls", "show hls"]);
  page.delivery.switched("webrtc", "");
  page.pass(1000);
  assert.equal(page.shown, "webrtc");
  page.delivery.switched("hls", "");
  page.pass(2000);
  assert.equal(page.shown, "hls");
  page.delivery.policy = "auto";
  page.delivery.switched("auto", "");
  page.pass(4000);
  assert.equal(page.shown, "webrtc");
});

test("an order to WebRTC that does not get through leaves HLS on the screen", () => {
  const page = new Page().join();
  page.hlsFlows = true;
  page.pass(10000);
  page.take();
  page.delivery.switched("webrtc", "");
  page.pass(8000);
  assert.equal(page.shown, "hls");
  assert.deepEqual(page.take(), ["start webrtc", "stop webrtc"]);
  assert.match(page.delivery.why, /no way through/);
});

test("where only WebRTC is allowed HLS is never started and WebRTC is tried again every few seconds", () => {
  const page = new Page().join("webrtc");
  page.hlsFlows = true;
  page.pass(25000);
  assert.ok(!page.log.includes("start hls"));
  assert.equal(page.log.filter((entry) => entry === "start webrtc").length, 3);
});

test("a page in the background starts no trials and judges no stalls", () => {
  const page = new Page().join();
  page.webrtcFlows = true;
  page.pass(5000);
  page.delivery.visibilityChanged(true);
  page.webrtcFlows = false;
  page.pass(60000);
  assert.equal(page.delivery.webrtc.phase, "up");
  page.delivery.visibilityChanged(false);
  page.pass(1000);
  assert.equal(page.delivery.webrtc.phase, "up");
});

test("disconnected for three seconds is lost, for one is not", () => {
  const page = new Page().join();
  page.webrtcFlows = true;
  page.pass(5000);
  page.delivery.webrtcDisconnected();
  page.pass(1000);
  page.delivery.webrtcConnected();
  page.pass(5000);
  assert.equal(page.shown, "webrtc");
  page.webrtcFlows = false;
  page.delivery.webrtcDisconnected();
  page.pass(3100);
  assert.equal(page.delivery.webrtc.phase, "off");
});

test("without signalling HLS is all there is, and WebRTC is tried when signalling comes", () => {
  const page = new Page();
  page.delivery.unsignalled();
  page.hlsFlows = true;
  page.pass(3000);
  assert.equal(page.shown, "hls");
  page.webrtcFlows = true;
  page.join();
  page.pass(4000);
  assert.equal(page.shown, "webrtc");
});

test("every sequence of events leaves something to wait for: a picture, an attempt, or the camera", () => {
  let seed = 7;
  const random = (count) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % count;
  };
  for (let run = 0; run < 200; run += 1) {
    const page = new Page().join();
    for (let step = 0; step < 60; step += 1) {
      const { delivery } = page;
      [
        () => (page.webrtcFlows = !page.webrtcFlows),
        () => (page.hlsFlows = !page.hlsFlows),
        () => delivery.webrtcFailed("failed"),
        () => delivery.webrtcDisconnected(),
        () => delivery.webrtcConnected(),
        () => delivery.switched(["hls", "webrtc", "auto"][random(3)], ""),
        () => delivery.sourceChanged({ state: ["live", "stopped", "stalled"][random(3)], codec: "H264" }),
        () => delivery.circumstancesChanged(),
        () => delivery.refused("unavailable", "later", 1),
      ][random(9)]();
      page.pass(100 * random(80));
    }
    page.delivery.sourceChanged({ state: "live", codec: "H264", gopMilliseconds: 2000 });
    page.webrtcFlows = true;
    page.hlsFlows = true;
    page.pass(130000);
    assert.notEqual(page.shown, null, `run ${run}`);
  }
});

test("a relay that does not know the page any more has not asked it for anything", () => {
  const page = new Page();
  page.webrtcFlows = page.hlsFlows = true;
  page.join().pass(3000);
  page.delivery.switched("hls", "asked by the operator");
  page.pass(3000);
  assert.equal(page.shown, "hls");
  page.join().pass(3000);
  assert.equal(page.shown, "hls", "the same relay's order stands");
  page.delivery.welcomed("auto", { state: "live", codec: "H264", gopMilliseconds: 2000 }, true);
  page.pass(8000);
  assert.equal(page.shown, "webrtc");
});
