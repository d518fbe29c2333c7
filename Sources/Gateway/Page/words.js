// Camera states in words.

const states = {
  idle: { badge: "Idle", tone: "quiet", text: "The camera is pulled as soon as somebody watches." },
  stopped: { badge: "Stopped", tone: "quiet", text: "An operator has stopped this camera." },
  connecting: { badge: "Connecting", tone: "wait", text: "Connecting to the camera." },
  negotiating: { badge: "Connecting", tone: "wait", text: "Talking to the camera." },
  starting: { badge: "Starting", tone: "wait", text: "Waiting for the camera’s first picture." },
  live: { badge: "Live", tone: "live", text: "" },
  stalled: { badge: "Stalled", tone: "bad", text: "The camera is connected but sends no picture." },
  retrying: { badge: "Offline", tone: "bad", text: "The camera cannot be reached; trying again." },
  held: { badge: "Offline", tone: "bad", text: "The camera needs the operator’s attention." },
};

const unknown = { badge: "Unknown", tone: "quiet", text: "" };

/** `{badge, tone, text}` of a camera's state. */
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
