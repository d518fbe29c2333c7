// Decides how the picture comes: WebRTC first, HLS as the net. No DOM, no network: it is told what happens and says
// what to do, so that its timing can be tested without waiting.
//
//            first frame                       healthy 2 s (trial: 3 s)
//   start ───────────────▶ WebRTC shown ◀──────────────────────────────┐
//     │ 1 s, or failure        │ stalled 3 s, failed, disconnected 3 s  │
//     ▼                        ▼                                        │
//   HLS started ──frame──▶ HLS shown ──after 15, 30, … s──▶ hidden trial of WebRTC
//
// While the camera itself is down nothing changes hands: whoever shows, keeps showing.

/** Times in milliseconds. */
export const limits = {
  /** HLS is started when WebRTC has shown nothing for this long. */
  net: 1000,
  /** WebRTC must be connected by then. */
  connect: 7000,
  /** WebRTC that is connected must show a frame within this and a GOP. */
  firstFrame: 3000,
  /** No new frame for this long while the camera is live: stalled. */
  stall: 3000,
  /** ICE may be disconnected for this long. */
  disconnected: 3000,
  /** How long WebRTC must run before it replaces HLS: at first, in a trial, when the operator asks for it. */
  healthyAtStart: 2000,
  healthyInTrial: 3000,
  healthyOnOrder: 400,
  /** A frame gap that ends a healthy stretch. */
  gap: 1000,
  /** WebRTC that ran this long has its failures forgiven. */
  forgiven: 60000,
  /** The old picture stays this long under the new one. */
  overlap: 600,
};

/** Pauses between trials when WebRTC does not connect: a blocked network may be opened at any time. */
const pausesUnreachable = [15000, ...Array(10).fill(30000), 60000, 120000];
/** Pauses between trials when WebRTC connects and breaks again. */
const pausesUnstable = [15000, 30000, 60000, 120000];

const unsignalled = "no signalling connection";

const isPlayable = (state) => state === "live";

export class Delivery {
  /**
   * @param actions startWebRTC(), stopWebRTC(), startHLS(), stopHLS(), show(delivery, reason), each called at once.
   * @param now returns milliseconds that never run backwards.
   */
  constructor(actions, now) {
    this.actions = actions;
    this.now = now;
    this.policy = "auto";
    this.order = null;
    this.shown = null;
    this.reason = "";
    this.source = { state: "connecting", gopMilliseconds: null };
    this.liveSince = null;
    this.begunAt = null;
    this.isHidden = false;
    this.webrtc = { phase: "off" };
    this.isThinned = false;
    this.hls = { phase: "off" };
    this.failures = 0;
    this.everConnected = false;
    this.nextTrialAt = Infinity;
    this.obstacle = null;
    this.why = "";
    this.stopAt = null;
  }

  // What happens.

  /** The relay has admitted us (again). */
  /** @param isNew the relay had not known this page, so nobody there has asked it for anything. */
  welcomed(policy, source, isNew = false) {
    this.policy = policy;
    if (this.obstacle === unsignalled) {
      this.obstacle = null;
      this.nextTrialAt = this.now();
    }
    this.sourceChanged(source);
    if (this.begunAt === null) {
      this.begin();
    } else if (this.policy !== "auto" || (isNew && this.order)) {
      this.order = null;
      this.reconsider(this.setting());
    }
    this.tick();
  }

  /** There is no signalling, so no WebRTC: HLS is all there is. */
  unsignalled() {
    if (this.begunAt !== null) return;
    this.begunAt = this.now();
    this.obstacle = unsignalled;
    this.why = unsignalled;
    this.sourceChanged({ state: "live" });
    this.tick();
  }

  begin() {
    this.begunAt = this.now();
    this.nextTrialAt = Infinity;
    if (this.wants() === "hls") {
      this.why = this.setting();
      this.startHLS();
    } else {
      this.startWebRTC("start");
    }
  }

  sourceChanged(source) {
    const before = this.source;
    this.source = source;
    const isLive = isPlayable(source.state);
    if (isLive && this.liveSince === null) {
      this.liveSince = this.now();
      // Waiting for the camera is nobody's failure.
      if (this.begunAt !== null && this.shown === null) this.begunAt = this.now();
      if (this.webrtc.phase === "connecting") this.webrtc.since = this.now();
      if (this.obstacle === "unavailable") this.obstacle = null;
      if (this.webrtc.phase === "off" && !this.obstacle) this.nextTrialAt = Math.min(this.nextTrialAt, this.now());
    } else if (!isLive) {
      this.liveSince = null;
    }
    const isOther = before.codec !== source.codec || before.bframes !== source.bframes;
    if (this.obstacle && before.codec !== undefined && isOther) {
      this.obstacle = null;
      this.nextTrialAt = this.now();
    }
    if (source.bframes && this.webrtc.phase !== "off") {
      this.obstacle = "the camera's pictures are reordered (B-frames), which WebRTC cannot show";
      this.giveUpWebRTC(this.obstacle);
      return;
    }
    this.tick();
  }

  /** The relay sends keyframes only, because the network carries no more: pictures are a GOP apart on purpose. */
  thinned(isThinned) {
    this.isThinned = isThinned;
    if (!isThinned && this.webrtc.phase === "up") this.webrtc.frameAt = this.now();
  }

  webrtcConnected() {
    if (this.webrtc.phase === "off") return;
    this.webrtc.isConnected = true;
    this.webrtc.connectedAt ??= this.now();
    this.webrtc.disconnectedAt = null;
    this.everConnected = true;
  }

  webrtcDisconnected() {
    if (this.webrtc.phase !== "off") this.webrtc.disconnectedAt ??= this.now();
  }

  /** WebRTC has decoded more frames than before. */
  webrtcFrames() {
    const { webrtc } = this;
    if (webrtc.phase === "off") return;
    const now = this.now();
    if (webrtc.phase === "connecting") {
      webrtc.phase = "up";
      webrtc.healthySince = now;
    } else if (now - webrtc.frameAt > limits.gap) {
      webrtc.healthySince = now;
    }
    webrtc.frameAt = now;
    webrtc.isConnected = true;
    if (this.shown === null) this.show("webrtc", this.order ? this.why : "");
    this.tick();
  }

  /** WebRTC cannot go on: `reason` in words. */
  webrtcFailed(reason) {
    if (this.webrtc.phase !== "off") this.giveUpWebRTC(reason);
  }

  /** The relay refuses the offer. */
  refused(kind, reason, retryAfter) {
    if (this.webrtc.phase === "off") return;
    if (kind === "unavailable" || kind === "busy") {
      this.obstacle = isPlayable(this.source.state) ? null : "unavailable";
      this.giveUpWebRTC(reason);
      if (!this.obstacle) this.nextTrialAt = this.now() + (retryAfter ?? 2) * 1000;
    } else {
      this.obstacle = reason;
      this.giveUpWebRTC(reason);
    }
  }

  hlsFrames() {
    if (this.hls.phase === "off") return;
    this.hls.phase = "up";
    this.hls.frameAt = this.now();
    if (this.shown === "webrtc" && this.wants() !== "hls") return;
    if (this.shown !== "hls") this.show("hls", this.why || "no picture by WebRTC yet");
    this.tick();
  }

  /** HLS cannot be played here at all. */
  hlsImpossible(reason) {
    this.hls = { phase: "impossible" };
    this.why = reason;
    this.tick();
  }

  /** The operator (or a policy) wants another delivery. */
  switched(to, reason) {
    this.order = to === "auto" ? null : to;
    this.reconsider(reason || "the operator asked for it");
  }

  reconsider(reason) {
    if (this.begunAt === null) return;
    this.why = reason;
    const wants = this.wants();
    if (wants === "hls") {
      this.nextTrialAt = Infinity;
      if (this.hls.phase === "off") this.startHLS();
      else if (this.hls.phase === "up" && this.shown !== "hls") this.show("hls", reason);
    } else if (this.webrtc.phase === "off" && this.shown !== "webrtc") {
      this.failures = 0;
      if (wants === "webrtc") this.obstacle = null;
      if (!this.obstacle) this.startWebRTC(wants === "webrtc" ? "order" : "trial");
    }
    this.tick();
  }

  /** The network changed or the page came to the front: what did not work may work now. */
  circumstancesChanged() {
    if (this.nextTrialAt !== Infinity) this.nextTrialAt = Math.min(this.nextTrialAt, this.now() + 500);
  }

  /** The session is over; nothing is tried until it is revived. */
  end() {
    this.stopWebRTC();
    this.stopHLS();
    this.begunAt = null;
    this.nextTrialAt = Infinity;
  }

  /** The session begins anew. */
  revive() {
    this.shown = null;
    this.order = null;
    this.obstacle = null;
    this.failures = 0;
    this.why = "";
  }

  /** The page went to the back, where browsers slow everything down, or came to the front. */
  visibilityChanged(isHidden) {
    this.isHidden = isHidden;
    if (isHidden) return;
    if (this.webrtc.phase === "up") this.webrtc.frameAt = this.now();
    this.circumstancesChanged();
  }

  // What follows from time passing; call it a few times a second.

  tick() {
    if (this.begunAt === null) return;
    const now = this.now();
    this.checkWebRTC(now);
    const wants = this.wants();
    if (this.hls.phase === "off" && this.mayUseHLS() && this.shown !== "webrtc" && this.liveSince !== null) {
      const isLate = now - Math.max(this.begunAt, this.liveSince) >= limits.net;
      if (wants === "hls" || isLate || this.webrtc.phase === "off") this.startHLS();
    }
    const { webrtc } = this;
    if (this.shown === "hls" && webrtc.phase === "up" && wants !== "hls") {
      const isFlowing = now - webrtc.frameAt <= limits.gap;
      if (isFlowing && now - webrtc.healthySince >= this.healthyFor()) {
        this.show("webrtc", webrtc.cause === "order" ? this.why : "WebRTC works");
      }
    }
    if (this.stopAt !== null && now >= this.stopAt) {
      this.stopAt = null;
      if (this.shown === "webrtc") this.stopHLS();
      if (this.shown === "hls" && wants === "hls") this.stopWebRTC();
    }
    const isDue = now >= this.nextTrialAt && webrtc.phase === "off" && wants !== "hls" && !this.obstacle;
    if (isDue && !this.isHidden && this.liveSince !== null) this.startWebRTC(this.shown ? "trial" : "start");
  }

  checkWebRTC(now) {
    const { webrtc } = this;
    if (webrtc.phase === "off") return;
    if (webrtc.disconnectedAt && now - webrtc.disconnectedAt >= limits.disconnected) {
      return this.giveUpWebRTC("the WebRTC connection was lost");
    }
    if (this.liveSince === null || this.isHidden) return;
    const gop = Math.min(this.source.gopMilliseconds ?? 2000, 12000);
    if (webrtc.phase === "connecting" && !webrtc.isConnected) {
      if (now - webrtc.since >= limits.connect) this.giveUpWebRTC("no way through for WebRTC (UDP may be blocked)");
    } else if (webrtc.phase === "connecting") {
      const since = Math.max(webrtc.connectedAt ?? webrtc.since, this.liveSince);
      if (now - since >= limits.firstFrame + gop) this.giveUpWebRTC("WebRTC connected but brought no picture");
    } else {
      // After the camera came back, a key frame has to come first.
      const isFresh = this.liveSince > webrtc.frameAt;
      const since = Math.max(webrtc.frameAt, this.liveSince);
      if (now - since >= limits.stall + (isFresh || this.isThinned ? gop : 0)) this.giveUpWebRTC("the WebRTC picture stopped");
    }
    if (webrtc.phase === "up" && now - webrtc.healthySince >= limits.forgiven) this.failures = 0;
  }

  // Means.

  wants() {
    return this.order ?? this.policy;
  }

  /** Why a delivery is fixed: the configuration of relay or camera, or an order given before; we are not told which. */
  setting() {
    return `${this.policy === "hls" ? "HLS" : "WebRTC"} is set by the operator`;
  }

  mayUseHLS() {
    return this.policy !== "webrtc" || this.order === "hls";
  }

  healthyFor() {
    return { start: limits.healthyAtStart, order: limits.healthyOnOrder }[this.webrtc.cause] ?? limits.healthyInTrial;
  }

  startWebRTC(cause) {
    this.webrtc = { phase: "connecting", since: this.now(), isConnected: false, disconnectedAt: null, cause };
    this.everConnected = false;
    this.isThinned = false;
    this.nextTrialAt = Infinity;
    this.actions.startWebRTC();
  }

  stopWebRTC() {
    if (this.webrtc.phase === "off") return;
    this.webrtc = { phase: "off" };
    this.actions.stopWebRTC();
  }

  giveUpWebRTC(reason) {
    const wasUp = this.webrtc.phase === "up";
    this.stopWebRTC();
    this.why = reason;
    const pauses = wasUp || this.everConnected ? pausesUnstable : pausesUnreachable;
    this.nextTrialAt = this.now() + pauses[Math.min(this.failures, pauses.length - 1)];
    this.failures += 1;
    if (this.shown === "webrtc") {
      this.reason = reason;
      if (this.hls.phase === "up") this.show("hls", reason);
      else if (this.mayUseHLS()) this.shown = null;
    }
    if (this.shown !== "hls" && !this.mayUseHLS()) {
      // Without a net, trying again is all that is left.
      this.nextTrialAt = this.now() + 3000;
    }
    this.actions.changed?.();
    this.tick();
  }

  startHLS() {
    if (this.hls.phase === "impossible" || !this.mayUseHLS()) return;
    this.hls = { phase: "starting" };
    this.stopAt = null;
    this.actions.startHLS();
  }

  stopHLS() {
    if (this.hls.phase === "off" || this.hls.phase === "impossible") return;
    this.hls = { phase: "off" };
    this.actions.stopHLS();
  }

  show(delivery, reason) {
    this.shown = delivery;
    this.reason = reason;
    if (delivery === "webrtc") this.why = "";
    this.stopAt = this.now() + limits.overlap;
    this.actions.show(delivery, reason);
  }
}
