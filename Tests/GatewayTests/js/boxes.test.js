import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeTime, timescales } from "./boxes.js";

const box = (type, ...parts) => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, body]);
};
const numbers = (...values) => Buffer.concat(values.map((value) => Buffer.from(value.toString(16).padStart(8, "0"), "hex")));
const bytes = (buffer) => buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length);
const track = (id, scale) =>
  box("trak", box("tkhd", numbers(0, 0, 0, id, 0)), box("mdia", box("mdhd", numbers(0, 0, 0, scale, 0))));
const init = bytes(Buffer.concat([box("ftyp", numbers(0)), box("moov", track(1, 90000), track(2, 48000))]));

test("timescales are found by track", () => {
  assert.deepEqual([...timescales(init)], [[1, 90000], [2, 48000]]);
});

test("the earliest decode time of all tracks counts, in 32 and 64 bits", () => {
  const video = box("traf", box("tfhd", numbers(0x20000, 1)), box("tfdt", numbers(0x01000000, 2, 0)));
  const audio = box("traf", box("tfhd", numbers(0x20000, 2)), box("tfdt", numbers(0, 96000)));
  const both = bytes(box("moof", box("mfhd", numbers(0, 1)), video, audio));
  assert.equal(decodeTime(both, timescales(init)), 2);
  const one = bytes(box("moof", video));
  assert.equal(decodeTime(one, timescales(init)), 2 ** 33 / 90000);
});

test("what is no MP4 has no decode time and does no harm", () => {
  assert.equal(decodeTime(bytes(Buffer.from("no boxes here at all")), new Map()), null);
  const whole = Buffer.from(init);
  for (let length = 0; length < whole.length; length += 1) timescales(bytes(whole.subarray(0, length)));
});
