// The page of one camera: joins what decides (delivery.js), what plays (webrtc.js, llhls.js), what the relay says
// (signalling.js) and what people see.

import { Delivery } from "./delivery.js";
import { LowLatencyPlayer, hlsSupport } from "./llhls.js";
import { FrameRate } from "./rate.js";
import { Signalling } from "./signalling.js";
import { Receiver } from "./webrtc.js";
import { deliveryNames, remarks, seconds, soundButton, wordsFor } from "./words.js";

/** What the document itself has begun (begin.js). */
const { camera, socketURL, newPeer } = begun;
const element = (id) => document.getElementById(id);
const videos = { webrtc: element("webrtc"), hls: element("hls") };
/** HLS without signalling is started after this many milliseconds without a welcome. */
const unsignalledAfter = 4000;

const state = {
  viewer: null,
  iceServers: [],
  hlsURL: `/${camera}/index.m3u8`,
  source: { state: "connecting", reason: "" },
  clock: null,
  clockOffset: null,
  isMuted: true,
  ended: null,
  turnedAway: null,
  /** Since the click that led to this page, as the browser counts it. */
  firstFrameMilliseconds: null,
  transitions: [],
  quality: { rung: "full", reason: "" },
  fps: null,
  frames: 0,
};

// Delivery.

const delivery = new Delivery(
  {
    startWebRTC() {
      state.quality = { rung: "full", reason: "" };
      receiver.start(state.iceServers);
      render();
    },
    stopWebRTC() {
      receiver.stop();
      forgetOffers();
      render();
    },
    startHLS() {
      if (!hlsSupport(videos.hls)) return delivery.hlsImpossible("this browser cannot play HLS");
      watchHLS();
      player.start(state.hlsURL);
      render();
    },
    stopHLS() {
      player.stop();
      render();
    },
    show,
    changed: () => reportMode(),
  },
  () => performance.now(),
);

const player = new LowLatencyPlayer(videos.hls, () => state.viewer);

const receiver = new Receiver(videos.webrtc, newPeer, {
  offer(sdp) {
    if (signalling.send({ type: "offer", sdp })) pendingOffers.push(receiver.peer);
    else delivery.webrtcFailed("no signalling connection");
  },
  candidate: (candidate) => signalling.send({ type: "candidate", candidate }),
  connected: () => delivery.webrtcConnected(),
  disconnected: () => delivery.webrtcDisconnected(),
  failed: (reason) => delivery.webrtcFailed(reason),
  frames: () => {
    noteFrame();
    delivery.webrtcFrames();
  },
});

/** Offers on their way: answers come in their order, and those to a peer that is gone mean nothing. */
const pendingOffers = [];

function forgetOffers() {
  pendingOffers.fill(null);
}

function show(kind, reason) {
  const other = kind === "webrtc" ? "hls" : "webrtc";
  videos[kind].muted = state.isMuted;
  videos[other].muted = true;
  videos[kind].classList.add("shown");
  videos[other].classList.remove("shown");
  state.transitions.push({ at: Math.round(performance.now()), to: kind, reason });
  state.fps = null;
  rate.restart(performance.now());
  reportMode();
  // The peer may go a moment later; by then the relay has to know that it is not missed.
  setTimeout(reportMode, 1000);
  render();
}

function watchHLS() {
  const video = videos.hls;
  const session = player;
  const begun = {};
  watchHLS.current = begun;
  const isCurrent = () => watchHLS.current === begun && delivery.hls.phase !== "off";
  const framed = () => {
    if (!isCurrent() || video.readyState < 2) return;
    noteFrame();
    delivery.hlsFrames();
  };
  if (video.requestVideoFrameCallback) {
    const next = () => {
      if (!isCurrent()) return;
      framed();
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  }
  let decoded = 0;
  const count = () => {
    if (!isCurrent()) return;
    const total = video.getVideoPlaybackQuality?.().totalVideoFrames ?? video.currentTime;
    if (total > decoded && !session.video.paused) framed();
    decoded = total;
    setTimeout(count, 250);
  };
  setTimeout(count, 250);
}

function noteFrame() {
  state.firstFrameMilliseconds ??= performance.now();
}

// Signalling.

const signalling = new Signalling(
  socketURL,
  begun,
  () => begun.hello(state.viewer),
  {
    message: (message) => handlers[message.type]?.(message),
    opened() {
      // The first connection came to nothing. The relay admits us, or refuses the offer with the rest; either way nothing
      // is lost by not waiting for it.
      const ahead = state.viewer === null ? receiver.takeOffer() : null;
      if (!ahead) return;
      signalling.send({ type: "offer", sdp: ahead.sdp });
      pendingOffers.push(ahead.peer);
    },
    closed(attempts) {
      pendingOffers.length = 0;
      receiver.untakeOffer();
      if (attempts >= 3) playUnsignalled();
      render();
    },
  },
);

const handlers = {
  welcome(message) {
    const isKnown = state.viewer === message.viewer;
    const watchesUnderOtherName = !isKnown && delivery.hls.phase !== "off";
    const hadPeer = delivery.webrtc.phase !== "off";
    state.turnedAway = null;
    state.viewer = message.viewer;
    state.iceServers = message.iceServers ?? [];
    state.hlsURL = message.hls;
    state.ended = null;
    adoptSource(message.source);
    if (!Receiver.isSupported()) delivery.obstacle ??= "this browser has no WebRTC";
    delivery.welcomed(message.policy, message.source, !isKnown);
    // A relay that does not know us any more has no peer for us either, and an answer may have been lost.
    const isWanted = hadPeer && delivery.webrtc.phase !== "off";
    if (isWanted && (!isKnown || !receiver.isAnswered)) receiver.start(state.iceServers);
    // Its playlists name the viewer we were.
    if (watchesUnderOtherName && delivery.hls.phase !== "off") player.start(state.hlsURL);
    if (receiver.prepared) {
      // HLS it is.
      receiver.discard();
      forgetOffers();
    }
    reportMode();
    if (document.hidden) report(true);
  },
  answer(message) {
    const peer = pendingOffers.shift();
    if (peer && peer === receiver.peer) receiver.answered(message.sdp);
  },
  refused(message) {
    const peer = pendingOffers.shift();
    if (peer && peer === receiver.peer) delivery.refused(message.kind, message.reason, message.retryAfter);
  },
  candidate: (message) => receiver.candidate(message.candidate),
  iceServers(message) {
    state.iceServers = message.iceServers ?? [];
  },
  clock(message) {
    state.clock = message;
    const offset = message.wallMs - Date.now();
    // The message is late by its way here, never early: the largest offset is the truest.
    state.clockOffset = state.clockOffset === null ? offset : Math.max(offset, state.clockOffset - 1);
  },
  source(message) {
    adoptSource(message);
    delivery.sourceChanged(message);
    render();
  },
  quality(message) {
    state.quality = { rung: message.rung, reason: message.reason ?? "" };
    delivery.thinned(message.rung === "keyframes");
    render();
  },
  switch(message) {
    if (message.url) state.hlsURL = message.url;
    delivery.switched(message.to, message.reason);
    render();
  },
  bye(message) {
    const isFinal = message.retryAfter === undefined || message.kind === "notFound";
    if (!isFinal) {
      // The viewer is gone; what still plays, plays on, and a new one is asked for in a while.
      state.viewer = null;
      state.turnedAway = message.reason;
      signalling.rest(message.retryAfter * 1000);
      return;
    }
    state.ended = message.reason || "The relay ended this session.";
    signalling.end();
    delivery.end();
    render();
  },
};

/** Some networks let no WebSocket through; HLS needs none. A relay that turned us away is another matter. */
function playUnsignalled() {
  if (state.viewer === null && !state.turnedAway && !state.ended) delivery.unsignalled();
}

function adoptSource({ state: name, reason, codec, gopMilliseconds, bframes, notes }) {
  state.source = { state: name, reason: reason ?? "", codec, gopMilliseconds, bframes, notes: notes ?? [] };
}

function reportMode() {
  signalling.send({
    type: "mode",
    current: delivery.shown,
    reason: delivery.why || delivery.reason,
    peer: delivery.webrtc.phase === "off" ? "closed" : "open",
  });
}

// Numbers.

const rate = new FrameRate();

function behindLive() {
  const now = state.clockOffset === null ? null : Date.now() + state.clockOffset;
  if (delivery.shown === "webrtc") {
    const shownAt = receiver.pictureTime(state.clock);
    return shownAt === null || now === null ? null : Math.max((now - shownAt) / 1000, 0);
  }
  if (delivery.shown === "hls") {
    const shownAt = player.pictureTime;
    if (shownAt !== null && now !== null) return Math.max((now - shownAt) / 1000, 0);
    return player.behindEdge;
  }
  return null;
}

async function statistics() {
  // Where nothing is shown, what was shown last only gets older.
  const behind = document.hidden ? null : behindLive();
  const shared = { behindLive: behind ?? undefined, firstFrameMilliseconds: state.firstFrameMilliseconds ?? undefined };
  const video = videos[delivery.shown ?? "hls"];
  if (video.videoWidth > 0) Object.assign(shared, { width: video.videoWidth, height: video.videoHeight });
  shared.isHidden = document.hidden;
  const now = performance.now();
  const ofPeer = await receiver.statistics();
  if (delivery.shown === "webrtc") return { ...shared, ...ofPeer, fps: rate.take(now, ofPeer?.framesDecoded) };
  if (ofPeer) shared.peer = ofPeer.peer;
  if (delivery.shown === null) return shared;
  const quality = video.getVideoPlaybackQuality?.();
  const frames = quality?.totalVideoFrames ?? 0;
  const [dropped, frozen] = [quality?.droppedVideoFrames ?? 0, player.freezeMilliseconds];
  const before = statistics.before ?? { at: now, frames, dropped, frozen };
  statistics.before = { at: now, frames, dropped, frozen };
  return {
    ...shared,
    fps: rate.take(performance.now(), frames),
    framesDecoded: frames,
    framesDropped: quality?.droppedVideoFrames,
    freezes: player.freezes,
    freezeSeconds: player.freezeMilliseconds / 1000,
    freezeShare: now > before.at && frozen >= before.frozen ? Math.min((frozen - before.frozen) / (now - before.at), 1) : undefined,
    dropShare: frames > before.frames ? Math.min(Math.max(dropped - before.dropped, 0) / (frames - before.frames), 1) : undefined,
    bufferMilliseconds: player.buffered * 1000,
  };
}

async function report(isNews = false) {
  const numbers = await statistics();
  state.fps = numbers.fps ?? null;
  state.frames = numbers.framesDecoded ?? state.frames;
  if (isNews || delivery.shown || numbers.peer) signalling.send({ type: "stats", ...numbers });
  render();
}

// What people see.

function notice() {
  if (state.ended) return { title: "Session ended", text: state.ended, isFinal: true };
  const words = wordsFor(state.source.state);
  if (state.source.state !== "live" && state.viewer) {
    return { title: words.badge, text: state.source.reason, isBusy: words.tone === "wait" };
  }
  if (state.turnedAway && delivery.shown === null) return { title: "Please wait", text: state.turnedAway, isBusy: true };
  if (!signalling.isOpen && delivery.shown === null) return { title: "Connecting", text: "Reaching the relay.", isBusy: true };
  if (delivery.shown === null) return { title: "Loading", text: delivery.why, isBusy: true };
  return null;
}

function rungWords({ rung, reason }) {
  const words = { reduced: "Some pictures are left out", keyframes: "Keyframes only" }[rung];
  return words ? `${words}: ${reason}` : "";
}

function render() {
  const words = state.ended ? { badge: "Ended", tone: "quiet" } : wordsFor(state.viewer ? state.source.state : "connecting");
  const isLost = delivery.shown !== null && state.viewer === null;
  const badge = element("badge");
  badge.textContent = isLost ? "Live" : words.badge;
  badge.dataset.tone = isLost ? "live" : words.tone;
  const shownNotice = notice();
  element("notice").hidden = shownNotice === null;
  if (shownNotice) {
    element("notice-title").textContent = shownNotice.title;
    element("notice-text").textContent = shownNotice.text;
    element("spinner").hidden = !shownNotice.isBusy;
    element("again").hidden = !shownNotice.isFinal;
  }
  element("stage").classList.toggle("dimmed", shownNotice !== null && delivery.shown !== null);
  const chip = element("delivery");
  const shown = state.ended ? null : delivery.shown;
  chip.textContent = deliveryNames[shown] ?? "–";
  chip.dataset.delivery = shown ?? "none";
  const behind = shown && state.source.state === "live" ? behindLive() : null;
  element("behind").textContent = behind === null ? "" : `${seconds(behind)} behind live`;
  const video = videos[shown ?? "hls"];
  const size = video.videoWidth > 0 && shown ? `${video.videoWidth} × ${video.videoHeight}` : "";
  const rate = state.fps && shown ? `${Math.round(state.fps)} fps` : "";
  element("quality").textContent = [size, rate, shown ? state.source.codec : ""].filter(Boolean).join(" · ");
  element("reason").textContent = remarks({
    delivery: shown,
    why: delivery.why || delivery.reason,
    notes: [shown === "webrtc" ? rungWords(state.quality) : "", ...(state.source.notes ?? [])],
    bframes: state.source.bframes,
  });
  const sound = soundButton({
    isPlaying: shown !== null && (isLost || words.tone === "live"),
    hasSound: shown === "webrtc" ? receiver.hasSound : player.hasSound,
    isMuted: state.isMuted,
  });
  element("mute").hidden = !sound.isOffered;
  element("mute").disabled = !sound.isUsable;
  element("mute").setAttribute("aria-pressed", String(!state.isMuted));
  element("mute-label").textContent = sound.label;
  element("mute").classList.toggle("is-muted", state.isMuted || !sound.isUsable);
}

element("mute").addEventListener("click", () => {
  state.isMuted = !state.isMuted;
  const video = videos[delivery.shown];
  if (video) {
    video.muted = state.isMuted;
    video.play().catch(() => {
      state.isMuted = true;
      video.muted = true;
      render();
    });
  }
  render();
});

element("full").addEventListener("click", () => {
  const stage = element("stage");
  if (document.fullscreenElement) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
  else videos[delivery.shown ?? "hls"].webkitEnterFullscreen?.();
});

element("again").addEventListener("click", () => {
  state.ended = null;
  state.viewer = null;
  delivery.revive();
  signalling.revive();
  render();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("button, a, input")) return;
  if (event.key === "m") element("mute").click();
  if (event.key === "f") element("full").click();
});

document.addEventListener("visibilitychange", () => {
  delivery.visibilityChanged(document.hidden);
  if (!document.hidden) signalling.hurry();
  // At once: timers of hidden pages may not run for a minute.
  report(true);
});
for (const name of ["online", "pageshow"]) {
  addEventListener(name, ({ persisted }) => {
    // A page that is shown for the first time has just begun; one that was left has said goodbye, and begins anew.
    if (persisted === false) return;
    if (persisted) return location.reload();
    signalling.hurry();
    delivery.circumstancesChanged();
  });
}
navigator.connection?.addEventListener?.("change", () => delivery.circumstancesChanged());
// Also where the browser keeps the page, in case somebody comes back to it: nobody watches until then.
addEventListener("pagehide", () => signalling.end("the page was left"));

// For tests and the curious; nothing in it can be changed.

const navigations = Number(sessionStorage.getItem("navigations") ?? 0) + 1;
sessionStorage.setItem("navigations", String(navigations));
const facts = {
  camera: () => camera,
  viewer: () => state.viewer,
  delivery: () => (state.ended ? null : delivery.shown),
  state: () => (state.ended ? "ended" : state.source.state),
  reason: () => delivery.reason,
  why: () => delivery.why,
  quality: () => state.quality,
  frames: () => videos[delivery.shown ?? "hls"].getVideoPlaybackQuality?.().totalVideoFrames ?? 0,
  width: () => videos[delivery.shown ?? "hls"].videoWidth,
  height: () => videos[delivery.shown ?? "hls"].videoHeight,
  fps: () => state.fps,
  isMuted: () => state.isMuted,
  behindLive,
  bufferMilliseconds: () => player.buffered * 1000,
  firstFrameMilliseconds: () => state.firstFrameMilliseconds,
  webrtc: () => delivery.webrtc.phase,
  hls: () => delivery.hls.phase,
  hlsStatus: () => player.status,
  hlsRestarts: () => player.restarts,
  signalling: () => signalling.isOpen,
  transitions: () => state.transitions.map((transition) => ({ ...transition })),
  navigations: () => navigations,
};
Object.defineProperty(window, "signalbox", {
  value: Object.freeze(
    Object.defineProperties(
      {},
      Object.fromEntries(Object.entries(facts).map(([name, get]) => [name, { get, enumerable: true }])),
    ),
  ),
});

// Go.

element("name").textContent = camera;
document.title = `${camera} · Signalbox`;
begun.offer.then((offer) => {
  if (offer) {
    receiver.prepare(offer);
    pendingOffers.push(offer.peer);
  }
  signalling.open();
});
setTimeout(playUnsignalled, unsignalledAfter);
setInterval(() => delivery.tick(), 200);
setInterval(() => report(), 2000);
setInterval(render, 1000);
render();
