// Reads HLS playlists (RFC 8216bis): as much of them as a live player needs.

/** Splits `KEY=value,KEY="a,b"` into an object. */
function attributes(text) {
  const result = {};
  for (const match of text.matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)/g)) {
    const value = match[2];
    result[match[1]] = value.startsWith('"') ? value.slice(1, -1) : value;
  }
  return result;
}

function number(text) {
  const value = Number.parseFloat(text);
  return Number.isFinite(value) ? value : undefined;
}

/**
 * The first variant of a multivariant playlist.
 *
 * @returns {{uri: string, codecs: string} | null} null when `text` is a media playlist or none at all.
 */
export function parseMultivariant(text) {
  const lines = text.split(/\r?\n/);
  if (lines[0].trim() !== "#EXTM3U") return null;
  for (let index = 0; index < lines.length; index += 1) {
    if (!lines[index].startsWith("#EXT-X-STREAM-INF:")) continue;
    const variant = attributes(lines[index].slice(lines[index].indexOf(":") + 1));
    const uri = lines.slice(index + 1).find((line) => line && !line.startsWith("#"));
    if (uri) return { uri: uri.trim(), codecs: variant.CODECS ?? "" };
  }
  return null;
}

/**
 * A media playlist.
 *
 * `segments` are in order; the last one may be unfinished (`uri` null, parts only). Each knows its media sequence
 * number, the init segment (`map`), its wall-clock time in milliseconds where the playlist gives or implies one, and
 * whether it begins after a discontinuity.
 *
 * @returns {object | null} null when `text` is no media playlist.
 */
export function parseMedia(text) {
  const lines = text.split(/\r?\n/);
  if (lines[0].trim() !== "#EXTM3U") return null;
  const playlist = {
    targetDuration: 0,
    partTarget: 0,
    holdBack: 0,
    canBlock: false,
    isEnded: false,
    hint: null,
    segments: [],
  };
  let msn = 0;
  let map = null;
  let clock = null;
  let open = null;
  const current = () => {
    open ??= { msn, uri: null, duration: 0, parts: [], map, time: clock, isDiscontinuous: false, isGap: false };
    return open;
  };
  for (const raw of lines.slice(1)) {
    const line = raw.trim();
    if (line === "") continue;
    const colon = line.indexOf(":");
    const tag = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1);
    switch (tag) {
      case "#EXT-X-TARGETDURATION":
        playlist.targetDuration = number(value) ?? 0;
        break;
      case "#EXT-X-SERVER-CONTROL": {
        const control = attributes(value);
        playlist.canBlock = control["CAN-BLOCK-RELOAD"] === "YES";
        playlist.holdBack = number(control["PART-HOLD-BACK"] ?? control["HOLD-BACK"]) ?? 0;
        break;
      }
      case "#EXT-X-PART-INF":
        playlist.partTarget = number(attributes(value)["PART-TARGET"]) ?? 0;
        break;
      case "#EXT-X-MEDIA-SEQUENCE":
        msn = Number.parseInt(value, 10) || 0;
        break;
      case "#EXT-X-MAP":
        map = attributes(value).URI ?? null;
        current().map = map;
        break;
      case "#EXT-X-DISCONTINUITY":
        current().isDiscontinuous = true;
        clock = null;
        break;
      case "#EXT-X-PROGRAM-DATE-TIME": {
        const time = Date.parse(value);
        clock = Number.isNaN(time) ? null : time;
        current().time = clock;
        break;
      }
      case "#EXT-X-GAP":
        current().isGap = true;
        break;
      case "#EXT-X-PART": {
        const part = attributes(value);
        if (!part.URI) break;
        current().parts.push({
          uri: part.URI,
          duration: number(part.DURATION) ?? 0,
          isIndependent: part.INDEPENDENT === "YES",
          isGap: part.GAP === "YES",
        });
        break;
      }
      case "#EXT-X-PRELOAD-HINT": {
        const hint = attributes(value);
        if (hint.TYPE === "PART") playlist.hint = hint.URI ?? null;
        break;
      }
      case "#EXTINF":
        current().duration = number(value) ?? 0;
        break;
      case "#EXT-X-ENDLIST":
        playlist.isEnded = true;
        break;
      default:
        if (line.startsWith("#")) break;
        current().uri = line;
        playlist.segments.push(open);
        if (clock !== null) clock += open.duration * 1000;
        open = null;
        msn += 1;
    }
  }
  // What follows the last finished segment: the parts of the one in the making. Without parts it says nothing yet.
  if (open && open.parts.length > 0) playlist.segments.push(open);
  playlist.nextMSN = msn;
  playlist.isLowLatency = playlist.partTarget > 0;
  if (!playlist.holdBack) {
    playlist.holdBack = playlist.isLowLatency ? playlist.partTarget * 3 : playlist.targetDuration * 3;
  }
  return playlist;
}

/**
 * Where a player that joins now should begin: the last place that can be decoded from and is at least the hold-back
 * away from the end.
 *
 * @returns {{msn: number, part: number} | null} null when nothing can be decoded from yet.
 */
export function startPosition(playlist) {
  let fromEnd = 0;
  let earliest = null;
  for (const segment of [...playlist.segments].reverse()) {
    if (segment.isGap) break;
    const pieces = segment.parts.length > 0 ? segment.parts : [{ duration: segment.duration, isIndependent: true }];
    for (let part = pieces.length - 1; part >= 0; part -= 1) {
      fromEnd += pieces[part].duration;
      if (pieces[part].isGap || !pieces[part].isIndependent) continue;
      earliest = { msn: segment.msn, part };
      if (fromEnd >= playlist.holdBack) return earliest;
    }
  }
  return earliest;
}

/**
 * The piece at a position: a part, or a whole segment where the playlist no longer lists its parts.
 *
 * @returns {object} `{piece}` to fetch, `{wait: true}` when it is not there yet, or `{lost: true}` when it never will
 * be and the player has to join anew.
 */
export function pieceAt(playlist, position) {
  const segments = playlist.segments;
  let { msn, part } = position;
  if (segments.length === 0) return { wait: true };
  const last = segments[segments.length - 1];
  if (msn < segments[0].msn || msn > last.msn + 2) return { lost: true };
  for (;;) {
    const segment = segments.find((candidate) => candidate.msn === msn);
    if (!segment) return { wait: true };
    const shared = {
      msn,
      map: segment.map,
      isDiscontinuous: part === 0 && segment.isDiscontinuous,
      time: segment.time,
    };
    if (segment.parts.length === 0) {
      if (!segment.uri || part > 0) return { lost: true };
      const piece = { ...shared, part: 0, uri: segment.uri, duration: segment.duration, isIndependent: true };
      return { piece, next: { msn: msn + 1, part: 0 } };
    }
    if (part < segment.parts.length) {
      const found = segment.parts[part];
      if (segment.time !== null) {
        const before = segment.parts.slice(0, part).reduce((sum, each) => sum + each.duration, 0);
        shared.time = segment.time + before * 1000;
      }
      return { piece: { ...shared, ...found, part }, next: { msn, part: part + 1 } };
    }
    if (!segment.uri) return { wait: true, msn, part };
    msn += 1;
    part = 0;
  }
}

/** What a blocking reload asks for: the part after everything the playlist has. */
export function reloadQuery(playlist) {
  const last = playlist.segments[playlist.segments.length - 1];
  if (!last) return "";
  if (!playlist.isLowLatency) return `_HLS_msn=${last.msn + 1}`;
  return last.uri ? `_HLS_msn=${last.msn + 1}&_HLS_part=0` : `_HLS_msn=${last.msn}&_HLS_part=${last.parts.length}`;
}

/** Whether a CODECS value (RFC 6381) names sound besides the picture. */
export function carriesSound(codecs) {
  return /(^|,)\s*(mp4a|opus|flac|[ae]c-3)/i.test(codecs);
}
