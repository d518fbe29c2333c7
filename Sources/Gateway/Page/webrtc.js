// Receives a camera by WebRTC: an offer for picture and sound, candidates as they are found, statistics.

export class Receiver {
  /**
   * @param video the element to play in.
   * @param events offer(sdp), candidate(text), connected(), disconnected(), failed(reason), frames(count).
   */
  constructor(video, events) {
    this.video = video;
    this.events = events;
    this.peer = null;
    this.framesDecoded = 0;
    this.last = null;
  }

  static isSupported() {
    return typeof globalThis.RTCPeerConnection === "function";
  }

  /** Names of the video codecs this browser can receive. */
  static codecs() {
    const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.("video")?.codecs ?? [];
    return [...new Set(codecs.map((codec) => codec.mimeType.replace("video/", "")))];
  }

  /** The relay's answer has been taken. */
  get isAnswered() {
    return Boolean(this.peer?.remoteDescription);
  }

  async start(iceServers) {
    this.stop();
    let peer;
    try {
      peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    } catch {
      return this.events.failed("this browser does not allow WebRTC");
    }
    this.peer = peer;
    this.framesDecoded = 0;
    this.last = null;
    const stream = new MediaStream();
    const isCurrent = () => this.peer === peer;
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.addEventListener("track", ({ track }) => {
      stream.addTrack(track);
      if (!isCurrent()) return;
      if (this.video.srcObject !== stream) this.video.srcObject = stream;
      this.play();
    });
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (isCurrent() && candidate?.candidate) this.events.candidate(candidate.candidate);
    });
    peer.addEventListener("connectionstatechange", () => {
      if (!isCurrent()) return;
      if (peer.connectionState === "connected") this.events.connected();
      if (peer.connectionState === "disconnected") this.events.disconnected();
      if (peer.connectionState === "failed") this.events.failed("the WebRTC connection failed");
    });
    try {
      await peer.setLocalDescription();
    } catch (error) {
      if (isCurrent()) this.events.failed(`no WebRTC offer: ${error.message}`);
      return;
    }
    if (!isCurrent()) return;
    this.events.offer(peer.localDescription.sdp);
    this.watchFrames(peer);
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

  /** The first frame as soon as it is shown, the others by counting: hidden pages and elements show none. */
  watchFrames(peer) {
    const { video } = this;
    const isCurrent = () => this.peer === peer;
    if (video.requestVideoFrameCallback) {
      const shown = (_now, frame) => {
        if (!isCurrent()) return;
        this.rtpTimestamp = frame.rtpTimestamp;
        this.frameAt = performance.now();
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
        this.events.frames();
      }
      setTimeout(count, this.framesDecoded > 0 ? 500 : 150);
    };
    count();
  }

  async inbound(peer) {
    try {
      for (const report of (await peer.getStats()).values()) {
        if (report.type === "inbound-rtp" && report.kind === "video") return report;
      }
    } catch {
      // A closed peer has no statistics.
    }
    return null;
  }

  /** What is told to the relay. */
  async statistics() {
    const { peer } = this;
    const report = peer ? await this.inbound(peer) : null;
    if (!report) return {};
    const delay = report.jitterBufferDelay ?? 0;
    const emitted = report.jitterBufferEmittedCount ?? 0;
    const before = this.last ?? { delay: 0, emitted: 0 };
    this.last = { delay, emitted };
    const buffer = emitted > before.emitted ? ((delay - before.delay) / (emitted - before.emitted)) * 1000 : undefined;
    return {
      fps: report.framesPerSecond,
      framesDecoded: report.framesDecoded,
      framesDropped: report.framesDropped,
      freezes: report.freezeCount,
      freezeSeconds: report.totalFreezesDuration,
      bufferMilliseconds: buffer,
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
