import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMedia, parseMultivariant, pieceAt, reloadQuery, startPosition } from "./playlist.js";

const live = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6,HOLD-BACK=6.0,CAN-SKIP-UNTIL=12.0
#EXT-X-PART-INF:PART-TARGET=0.2
#EXT-X-MEDIA-SEQUENCE:40
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="e1_init1.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T10:00:00.000Z
#EXTINF:2.0,
e1_s40.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T10:00:02.000Z
#EXT-X-PART:DURATION=0.2,URI="e1_s41_p0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.2,URI="e1_s41_p1.m4s"
#EXTINF:0.4,
e1_s41.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="e1_init2.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T10:00:09.000Z
#EXT-X-PART:DURATION=0.2,URI="e1_s42_p0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.2,URI="e1_s42_p1.m4s"
#EXT-X-PART:DURATION=0.2,URI="e1_s42_p2.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="e1_s42_p3.m4s"
`;

test("a multivariant playlist gives its first variant and codecs", () => {
  const text = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.42C01F,mp4a.40.2",RESOLUTION=1x1\n\nmedia.m3u8?viewer=a\n';
  assert.deepEqual(parseMultivariant(text), { uri: "media.m3u8?viewer=a", codecs: "avc1.42C01F,mp4a.40.2" });
  assert.equal(parseMultivariant(live), null);
  assert.equal(parseMultivariant("<html>"), null);
});

test("a media playlist gives segments, parts, maps, times and the hint", () => {
  const playlist = parseMedia(live);
  assert.deepEqual(
    playlist.segments.map(({ msn, uri, parts, map, isDiscontinuous }) => [msn, uri, parts.length, map, isDiscontinuous]),
    [
      [40, "e1_s40.m4s", 0, "e1_init1.mp4", false],
      [41, "e1_s41.m4s", 2, "e1_init1.mp4", false],
      [42, null, 3, "e1_init2.mp4", true],
    ],
  );
  assert.equal(playlist.holdBack, 0.6);
  assert.equal(playlist.hint, "e1_s42_p3.m4s");
  assert.equal(playlist.segments[2].time, Date.parse("2026-11-22T10:00:09.000Z"));
  assert.ok(playlist.canBlock && playlist.isLowLatency);
});

test("a join begins at the last independent part that is at least the hold-back from the end", () => {
  assert.deepEqual(startPosition(parseMedia(live)), { msn: 42, part: 0 });
  const shorter = live.replace('#EXT-X-PART:DURATION=0.2,URI="e1_s42_p2.m4s"\n', "");
  assert.deepEqual(startPosition(parseMedia(shorter)), { msn: 41, part: 0 });
  assert.equal(startPosition(parseMedia("#EXTM3U\n#EXT-X-TARGETDURATION:2\n")), null);
});

test("positions lead through parts and segments to waiting", () => {
  const playlist = parseMedia(live);
  const seen = [];
  let position = { msn: 40, part: 0 };
  for (;;) {
    const found = pieceAt(playlist, position);
    if (!found.piece) {
      assert.ok(found.wait);
      break;
    }
    seen.push([found.piece.uri, found.piece.isDiscontinuous, found.piece.time - Date.parse("2026-11-22T10:00:00.000Z")]);
    position = found.next;
  }
  assert.deepEqual(seen, [
    ["e1_s40.m4s", false, 0],
    ["e1_s41_p0.m4s", false, 2000],
    ["e1_s41_p1.m4s", false, 2200],
    ["e1_s42_p0.m4s", true, 9000],
    ["e1_s42_p1.m4s", false, 9200],
    ["e1_s42_p2.m4s", false, 9400],
  ]);
});

test("a position that fell out, whose parts fell out, or from before a restart of the relay is lost", () => {
  const playlist = parseMedia(live);
  assert.ok(pieceAt(playlist, { msn: 39, part: 0 }).lost);
  assert.ok(pieceAt(playlist, { msn: 40, part: 3 }).lost);
  assert.ok(pieceAt(playlist, { msn: 900, part: 0 }).lost);
});

test("a blocking reload asks for the part after the last", () => {
  assert.equal(reloadQuery(parseMedia(live)), "_HLS_msn=42&_HLS_part=3");
  const closed = `${live.replace(/#EXT-X-PRELOAD.*\n/, "")}#EXTINF:0.6,\ne1_s42.m4s\n`;
  assert.equal(reloadQuery(parseMedia(closed)), "_HLS_msn=43&_HLS_part=0");
});

test("a plain playlist holds back three target durations and is reloaded by segment", () => {
  const plain = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:4,\na.m4s\n#EXTINF:4,\nb.m4s\n#EXTINF:4,\nc.m4s\n#EXTINF:4,\nd.m4s\n";
  const playlist = parseMedia(plain);
  assert.equal(playlist.holdBack, 12);
  assert.deepEqual(startPosition(playlist), { msn: 8, part: 0 });
  assert.equal(reloadQuery(playlist), "_HLS_msn=11");
});

test("broken playlists are refused or read as far as they go, never thrown at the player", () => {
  for (let length = 0; length < live.length; length += 1) {
    const playlist = parseMedia(live.slice(0, length));
    if (playlist) {
      startPosition(playlist);
      pieceAt(playlist, { msn: 41, part: 1 });
      reloadQuery(playlist);
    }
  }
  assert.equal(parseMedia(""), null);
});
