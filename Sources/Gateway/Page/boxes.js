// Finds what a player needs in fragmented MP4: timescales and the decode time of a fragment.

const containers = new Set(["moov", "trak", "mdia", "moof", "traf"]);

/** Calls `visit(type, view, start, end)` for every box in `bytes`, containers included. */
function walk(view, start, end, visit) {
  let offset = start;
  while (offset + 8 <= end) {
    const size = view.getUint32(offset);
    const type = String.fromCharCode(
      view.getUint8(offset + 4),
      view.getUint8(offset + 5),
      view.getUint8(offset + 6),
      view.getUint8(offset + 7),
    );
    if (size < 8 || offset + size > end) return;
    visit(type, offset + 8, offset + size);
    if (containers.has(type)) walk(view, offset + 8, offset + size, visit);
    offset += size;
  }
}

function unsigned64(view, offset) {
  return view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
}

/** Track timescales of an init segment, by track id. */
export function timescales(bytes) {
  const view = new DataView(bytes);
  const result = new Map();
  let track = 0;
  walk(view, 0, view.byteLength, (type, start, end) => {
    if (type === "tkhd") {
      const offset = start + (view.getUint8(start) === 1 ? 20 : 12);
      if (offset + 4 <= end) track = view.getUint32(offset);
    } else if (type === "mdhd") {
      const offset = start + (view.getUint8(start) === 1 ? 20 : 12);
      if (offset + 4 <= end) result.set(track, view.getUint32(offset));
    }
  });
  return result;
}

/** The earliest decode time in a media segment, in seconds; null when it has none. */
export function decodeTime(bytes, scales) {
  const view = new DataView(bytes);
  let track = 0;
  let earliest = null;
  walk(view, 0, view.byteLength, (type, start, end) => {
    if (type === "tfhd" && start + 8 <= end) {
      track = view.getUint32(start + 4);
    } else if (type === "tfdt" && start + 8 <= end) {
      const isLong = view.getUint8(start) === 1 && start + 12 <= end;
      const ticks = isLong ? unsigned64(view, start + 4) : view.getUint32(start + 4);
      const scale = scales.get(track);
      if (scale) earliest = Math.min(earliest ?? Infinity, ticks / scale);
    }
  });
  return earliest;
}
