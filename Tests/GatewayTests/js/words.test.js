import assert from "node:assert/strict";
import { test } from "node:test";
import { carriesSound } from "./playlist.js";
import { FrameRate } from "./rate.js";
import { remarks, soundButton } from "./words.js";

test("what the relay notes and what the page found out is said once", () => {
  const note = "pictures are reordered (B-frames): WebRTC is not possible, viewers get HLS";
  const why = "this camera's pictures are reordered (B-frames), which WebRTC cannot show; use HLS";
  const text = remarks({ delivery: "hls", why, notes: [note], bframes: true });
  assert.equal(text, "Pictures are reordered (B-frames): WebRTC is not possible, viewers get HLS.");
});

test("by HLS the reason is told as a sentence, by WebRTC there is none", () => {
  const facts = { why: "UDP may be blocked", notes: ["no sound here"], bframes: false };
  assert.equal(remarks({ delivery: "hls", ...facts }), "UDP may be blocked. No sound here.");
  assert.equal(remarks({ delivery: "webrtc", ...facts }), "No sound here.");
  assert.equal(remarks({ delivery: "hls", why: "no sound here", notes: ["No sound here."], bframes: false }), "No sound here.");
});

test("sound is offered only where there is some to be heard", () => {
  assert.deepEqual(soundButton({ isPlaying: false, hasSound: true, isMuted: true }).isOffered, false);
  const silent = soundButton({ isPlaying: true, hasSound: false, isMuted: true });
  assert.deepEqual([silent.isUsable, silent.label], [false, "No sound"]);
  assert.equal(soundButton({ isPlaying: true, hasSound: true, isMuted: true }).label, "Unmute");
  assert.equal(soundButton({ isPlaying: true, hasSound: true, isMuted: false }).label, "Mute");
});

test("a playlist's codecs tell whether there is sound", () => {
  for (const codecs of ["avc1.42E01E,mp4a.40.2", "avc1.640028, Opus", "opus"]) assert.ok(carriesSound(codecs), codecs);
  for (const codecs of ["avc1.42E01E", "hvc1.1.6.L93.B0", ""]) assert.ok(!carriesSound(codecs), codecs);
});

test("a cached GOP that comes at once does not look like hundreds of frames a second", () => {
  const rate = new FrameRate();
  rate.restart(10000);
  assert.equal(rate.take(10100, 3), undefined);
  assert.equal(rate.take(11000, 250), undefined);
  assert.equal(rate.take(12000, 275), undefined);
  assert.equal(rate.take(14000, 325), 25);
});

test("ticks that come together and counts that begin anew measure nothing", () => {
  const rate = new FrameRate();
  rate.restart(0);
  rate.take(2000, 50);
  assert.equal(rate.take(4000, 100), 25);
  assert.equal(rate.take(4001, 103), 25);
  assert.equal(rate.take(6000, 150), 25);
  assert.equal(rate.take(8000, 10), undefined);
  assert.equal(rate.take(10000, 60), 25);
});
