// Camera states and remarks in words. Why a camera is not live is said by the relay.

const states = {
  idle: { badge: "Idle", tone: "quiet" },
  stopped: { badge: "Stopped", tone: "quiet" },
  connecting: { badge: "Connecting", tone: "wait" },
  negotiating: { badge: "Connecting", tone: "wait" },
  starting: { badge: "Starting", tone: "wait" },
  live: { badge: "Live", tone: "live" },
  stalled: { badge: "Stalled", tone: "bad" },
  retrying: { badge: "Offline", tone: "bad" },
  held: { badge: "Offline", tone: "bad" },
};

const unknown = { badge: "Unknown", tone: "quiet" };

/** `{badge, tone}` of a camera's state. */
export function wordsFor(state) {
  return states[state] ?? unknown;
}

export const deliveryNames = { webrtc: "WebRTC", hls: "HLS" };

/** `0.4 s`, `12 s`. */
export function seconds(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "";
  const shown = Math.max(value, 0);
  return shown < 9.95 ? `${shown.toFixed(1)} s` : `${Math.round(shown)} s`;
}

/** `text` with a capital and a full stop. */
export function sentence(text) {
  if (!text) return "";
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** The line under the picture: why it comes by HLS, and what does not reach a delivery. Nothing is said twice. */
export function remarks({ delivery, why, notes, bframes }) {
  // That reordered pictures cannot go by WebRTC is one of the notes.
  const reason = delivery === "hls" && !bframes ? why : "";
  return [...new Set([reason, ...notes].filter(Boolean).map(sentence))].join(" ");
}

/** The button for sound: `{isOffered, isUsable, label}`. Where nothing plays there is nothing to switch. */
export function soundButton({ isPlaying, hasSound, isMuted }) {
  if (!isPlaying) return { isOffered: false, isUsable: false, label: "" };
  if (!hasSound) return { isOffered: true, isUsable: false, label: "No sound" };
  return { isOffered: true, isUsable: true, label: isMuted ? "Unmute" : "Mute" };
}
