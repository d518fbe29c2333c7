// Receives a camera by WebRTC: an offer for picture and sound, candidates as they are found, statistics.

export class Receiver {
  /**
   * @param video the element to play in.
   * @param newPeer makes a peer connection that wants picture and sound, given ICE servers.
   * @param events offer(sdp), candidate(text), connected(), disconnected(), failed(reason), frames(count).
   */
  constructor(video, newPeer, events) {
    this.video = video;
    this.newPeer = newPeer;
    this.events = events;
    this.peer = null;
    this.prepared = null;
    this.framesDecoded = 0;
    this.last = null;
    this.offeredAt = null;
    this.firstFrameAt = null;
    this.serverError = null;
  }

  static isSupported() {
    return typeof globalThis.RTCPeerConnection === "function";
  }

  /** The relay's answer has been taken. */
  get isAnswered() {
    return Boolean(this.peer?.remoteDescription);
  }

  /** Sound comes with the picture: the relay's answer has it. */
  get hasSound() {
    return Boolean(
      this.peer?.getTransceivers().some(({ currentDirection, receiver }) => {
        return receiver.track.kind === "audio" && currentDirection === "recvonly";
      }),
    );
  }

  /** Takes the offer of the first session, `{peer, sdp, offeredAt}`, made ahead of time. `start` then goes on with it. */
  prepare(offer) {
    this.prepared = offer;
  }

  /** The offer that was made ahead of time and is on its way from now on, with its peer; null when there is none. */
  takeOffer() {
    if (!this.prepared) return null;
    this.prepared.offeredAt = performance.now();
    return this.prepared;
  }

  /** The offer sent ahead never arrived, or came to nothing. */
  untakeOffer() {
    if (this.prepared) this.prepared.offeredAt = null;
  }

  async start(iceServers) {
    const { prepared } = this;
    this.prepared = null;
    this.stop();
    let peer;
    try {
      peer = prepared?.peer ?? this.newPeer(iceServers);
      if (prepared) peer.setConfiguration({ iceServers, bundlePolicy: "max-bundle" });
    } catch {
      return this.events.failed("this browser does not allow WebRTC");
    }
    this.peer = peer;
    this.iceServers = iceServers;
    this.framesDecoded = 0;
    this.last = null;
    this.offeredAt = prepared?.offeredAt ?? null;
    this.firstFrameAt = null;
    this.serverError = null;
    this.follow(peer);
    const isCurrent = () => this.peer === peer;
    try {
      await peer.setLocalDescription(prepared ? { type: "offer", sdp: prepared.sdp } : undefined);
    } catch (error) {
      if (isCurrent()) this.events.failed(`no WebRTC offer: ${error.message}`);
      return;
    }
    if (!isCurrent()) return;
    if (this.offeredAt === null) {
      this.offeredAt = performance.now();
      this.events.offer(peer.localDescription.sdp);
    }
    this.watchFrames(peer);
  }

  /** Plays what a peer receives and says what happens, while it is the one in use. */
  follow(peer) {
    const stream = new MediaStream();
    const isCurrent = () => this.peer === peer;
    peer.addEventListener("track", ({ track }) => {
      stream.addTrack(track);
      if (!isCurrent()) return;
      if (this.video.srcObject !== stream) this.video.srcObject = stream;
      this.play();
    });
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (isCurrent() && candidate?.candidate) this.events.candidate(candidate.candidate);
    });
    peer.addEventListener("icecandidateerror", ({ errorCode, url }) => {
      // One server of several may be out of reach; a refusal says more than silence.
      if (!isCurrent() || (this.serverError && errorCode === 701)) return;
      this.serverError = { code: errorCode, expired: url?.startsWith("turn") && areExpired(this.iceServers) };
    });
    peer.addEventListener("connectionstatechange", () => {
      if (!isCurrent()) return;
      if (peer.connectionState === "connected") this.events.connected();
      if (peer.connectionState === "disconnected") this.events.disconnected();
      if (peer.connectionState === "failed") this.events.failed("the WebRTC connection failed");
    });
  }

  async answered(sdp) {
    try {
      await this.peer?.setRemoteDescription({ type: "answer", sdp });
    } catch (error) {
      this.events.failed(`the relay's answer was not understood: ${error.message}`);
    }
  }

  async candidate(candidate) {
    await this.peer?.addIceCandidate({ candidate, sdpMLineIndex: 0 }).catch(() => {});
  }

  stop() {
    const { peer } = this;
    this.peer = null;
    peer?.close();
  }

  /** What was made ahead is not wanted. */
  discard() {
    this.prepared?.peer.close();
    this.prepared = null;
  }

  /** The first frame as soon as it is shown, the others by counting: hidden pages and elements show none. */
  watchFrames(peer) {
    const { video } = this;
    const isCurrent = () => this.peer === peer;
    if (video.requestVideoFrameCallback) {
      const shown = (_now, frame) => {
        if (!isCurrent()) return;
        this.rtpTimestamp = frame.rtpTimestamp;
        this.frameAt = performance.now();
        this.firstFrameAt ??= this.frameAt;
        this.events.frames();
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    }
    const count = async () => {
      if (!isCurrent()) return;
      const report = await this.inbound(peer);
      if (!isCurrent()) return;
      if (report && report.framesDecoded > this.framesDecoded) {
        this.framesDecoded = report.framesDecoded;
        this.firstFrameAt ??= performance.now();
        this.events.frames();
      }
      setTimeout(count, this.framesDecoded > 0 ? 500 : 150);
    };
    count();
  }

  async inbound(peer) {
    return (await this.reports(peer)).inbound;
  }

  /** What the browser measures of the picture's stream and of the path it takes; null where there is nothing yet. */
  async reports(peer) {
    let inbound = null;
    let path = null;
    try {
      for (const report of (await peer.getStats()).values()) {
        if (report.type === "inbound-rtp" && report.kind === "video") inbound = report;
        if (report.type === "candidate-pair" && report.nominated && report.state === "succeeded") path = report;
      }
    } catch {
      // A closed peer has no statistics.
    }
    return { inbound, path };
  }

  /**
   * What is told to the relay: numbers of the picture, and under `peer` those of the session, which are of interest
   * even while another delivery shows the picture. Null without a session.
   */
  async statistics() {
    const { peer } = this;
    if (!peer) return null;
    const { inbound, path } = await this.reports(peer);
    if (this.peer !== peer) return null;
    const { offeredAt, firstFrameAt } = this;
    const session = {
      firstFrameMilliseconds: firstFrameAt === null || offeredAt === null ? undefined : firstFrameAt - offeredAt,
      packetsReceived: inbound?.packetsReceived ?? 0,
      packetsLost: inbound?.packetsLost,
      framesDecoded: inbound?.framesDecoded ?? 0,
      jitterMilliseconds: milliseconds(inbound?.jitter),
      roundTripMilliseconds: milliseconds(path?.currentRoundTripTime),
      serverError: this.serverError?.code,
      areCredentialsExpired: this.serverError?.expired || undefined,
    };
    if (!inbound) return { peer: session };
    const before = this.last ?? {};
    this.last = inbound;
    /** How much a counter has grown since the last report. */
    const grown = (name) => (inbound[name] ?? 0) - (before[name] ?? 0);
    const [decoded, emitted] = [grown("framesDecoded"), grown("jitterBufferEmittedCount")];
    const seconds = before.timestamp ? (inbound.timestamp - before.timestamp) / 1000 : 0;
    return {
      framesDecoded: inbound.framesDecoded,
      framesDropped: inbound.framesDropped,
      freezes: inbound.freezeCount,
      freezeSeconds: inbound.totalFreezesDuration,
      freezeShare: seconds > 0 ? Math.min(grown("totalFreezesDuration") / seconds, 1) : undefined,
      dropShare: decoded > 0 ? Math.min(grown("framesDropped") / decoded, 1) : undefined,
      decodeMilliseconds: decoded > 0 ? (grown("totalDecodeTime") / decoded) * 1000 : undefined,
      bufferMilliseconds: emitted > 0 ? (grown("jitterBufferDelay") / emitted) * 1000 : undefined,
      peer: session,
    };
  }

  /** Relay wall clock of the picture shown, in milliseconds; null when not known. */
  pictureTime(clock) {
    if (!clock || clock.video === undefined || this.rtpTimestamp === undefined) return null;
    // RTP time wraps after 13 hours; the difference does not.
    const ticks = (this.rtpTimestamp - clock.video) | 0;
    return clock.wallMs + ticks / 90;
  }

  play() {
    this.video.play().catch((error) => {
      if (error.name !== "NotAllowedError") return;
      this.video.muted = true;
      this.video.play().catch(() => {});
    });
  }
}

const milliseconds = (seconds) => (seconds === undefined ? undefined : seconds * 1000);

/** Whether the time in front of a TURN username, its last second, has passed. */
export function areExpired(iceServers, now = Date.now()) {
  return iceServers.some(({ username }) => {
    const until = Number.parseInt(username ?? "", 10);
    return Number.isFinite(until) && until * 1000 < now;
  });
}
