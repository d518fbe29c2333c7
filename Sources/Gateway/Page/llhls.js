// Plays low-latency HLS by Media Source Extensions: parts as they are made, held close to the live edge.

import { decodeTime, timescales } from "./boxes.js";
import { carriesSound, parseMedia, parseMultivariant, pieceAt, reloadQuery, startPosition } from "./playlist.js";

/** Further behind than the hold-back by this much, the player jumps instead of hurrying. Seconds. */
const jumpBehind = 4;
/** Fastest playback while catching up; faster is heard and seen. */
const fastest = 1.25;
/** Media kept behind the playing position. Seconds. */
const keptBehind = 10;
/** A request that the relay may hold is given up after this. Milliseconds. */
const patience = 40000;
/** Playback begins after this although not all published media has come. Milliseconds. */
const startLimit = 1500;
/** Playback that does not move for this long although media is there is begun anew. Milliseconds. */
const stuckAfter = 6000;

const sleep = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });

const MediaSourceClass = globalThis.MediaSource ?? globalThis.ManagedMediaSource;

/** How this browser can play HLS: "mse", "native" or null. */
export function hlsSupport(video) {
  if (MediaSourceClass?.isTypeSupported?.('video/mp4; codecs="avc1.42E01E"')) return "mse";
  return video.canPlayType("application/vnd.apple.mpegurl") ? "native" : null;
}

/** The relay has nothing yet, or nothing more: try again after a while. */
class NotYet extends Error {
  constructor(status, after) {
    super(`HTTP ${status}`);
    this.status = status;
    this.after = after;
  }
}

export class LowLatencyPlayer {
  /**
   * @param video the element to play in.
   * @param viewer returns the viewer's identity, or null.
   */
  constructor(video, viewer) {
    this.video = video;
    this.viewer = viewer;
    this.aborter = null;
    /** Sound comes with the picture. */
    this.hasSound = false;
    /** In words, what it is doing. */
    this.status = "off";
    this.freezes = 0;
    this.restarts = 0;
    this.frozenSince = null;
    this.freezeMilliseconds = 0;
    video.addEventListener("waiting", () => this.froze());
    video.addEventListener("playing", () => this.thawed());
  }

  /** Plays the multivariant playlist at `url`. */
  start(url) {
    this.stop();
    this.aborter = new AbortController();
    this.freezes = 0;
    this.freezeMilliseconds = 0;
    this.frozenSince = null;
    this.restarts = 0;
    if (hlsSupport(this.video) === "native") {
      // Browsers that play HLS by themselves do not say; then it is not denied.
      this.hasSound = true;
      this.video.src = url;
      this.play();
      return;
    }
    this.keepPlaying(url, this.aborter.signal);
  }

  stop() {
    if (!this.aborter) return;
    this.aborter.abort(new DOMException("stopped", "AbortError"));
    this.aborter = null;
    this.status = "off";
    this.detach();
  }

  /** Seconds of media ahead of the playing position. */
  get buffered() {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index += 1) {
      if (buffered.start(index) <= currentTime + 0.1 && buffered.end(index) > currentTime) {
        return buffered.end(index) - currentTime;
      }
    }
    return 0;
  }

  /** Relay wall clock, in milliseconds, of the picture shown; null when not known. */
  get pictureTime() {
    return this.anchor === null || this.anchor === undefined ? null : this.anchor + this.video.currentTime * 1000;
  }

  /** Seconds between the newest media published and the picture shown; null when not known. */
  get behindEdge() {
    if (!this.edge || this.video.readyState < 2) return null;
    return this.edge.position - this.video.currentTime + this.sinceEdge();
  }

  // The life of one session: playlists, then parts for ever; anything unexpected begins a new one.

  async keepPlaying(url, signal) {
    let failures = 0;
    while (!signal.aborted) {
      const begun = performance.now();
      try {
        this.status = "starting";
        await this.session(url, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.status = error instanceof NotYet ? "waiting for the camera" : `restarting: ${error.message}`;
        if (!(error instanceof NotYet)) this.restarts += 1;
        failures = performance.now() - begun > 10000 ? 0 : failures + 1;
        const pause = error.after ? error.after * 1000 : Math.min(500 * 2 ** Math.min(failures, 3), 4000);
        await sleep(pause, signal).catch(() => {});
      }
    }
  }

  async session(url, signal) {
    const multivariant = await this.text(url, signal);
    const variant = parseMultivariant(multivariant.text);
    const session = {
      url,
      mediaURL: new URL(variant ? variant.uri : url, multivariant.url).href,
      codecs: variant?.codecs || "avc1.42E01E,mp4a.40.2",
      prefetched: new Map(),
      scales: new Map(),
      map: null,
      position: null,
      offset: null,
    };
    this.hasSound = carriesSound(session.codecs);
    let playlist = await this.media(session, "", signal);
    while (!startPosition(playlist)) {
      await sleep(300, signal);
      playlist = await this.media(session, "", signal);
    }
    await this.attach(session, signal);
    session.position = startPosition(playlist);
    session.isFirst = true;
    this.fetchAhead(session, playlist, signal);
    const keeper = setInterval(() => this.control(playlist), 250);
    try {
      for (;;) {
        await this.appendAll(session, playlist, signal);
        this.hasCaughtUp = true;
        this.control(playlist);
        if (playlist.isEnded) throw new NotYet(200, 2);
        playlist = await this.reload(session, playlist, signal);
      }
    } finally {
      clearInterval(keeper);
      this.detach();
    }
  }

  /** Asks for the playlist with the next part, and for that part itself, at the same time. */
  async reload(session, playlist, signal) {
    if (playlist.hint && session.prefetched.size < 8) this.prefetch(session, playlist.hint, signal);
    if (!playlist.canBlock) await sleep(Math.max(playlist.targetDuration * 500, 500), signal);
    for (;;) {
      try {
        return await this.media(session, playlist.canBlock ? reloadQuery(playlist) : "", signal);
      } catch (error) {
        // 503: held as long as it may be, and nothing came. The camera is away; what we have stays on the screen.
        if (!(error instanceof NotYet) || error.status === 404 || error.status === 400) throw error;
        this.status = "waiting for the camera";
        session.prefetched.clear();
        if (playlist.hint) this.prefetch(session, playlist.hint, signal);
        await sleep((error.after ?? 1) * 1000, signal);
      }
    }
  }

  /** What has to be there before the first picture, all at once. */
  fetchAhead(session, playlist, signal) {
    const first = pieceAt(playlist, session.position).piece;
    if (first?.map) this.prefetch(session, first.map, signal);
    let position = session.position;
    for (let count = 0; count < 60; count += 1) {
      const { piece, next } = pieceAt(playlist, position);
      if (!piece) return;
      this.prefetch(session, piece.uri, signal);
      position = next;
    }
  }

  prefetch(session, uri, signal) {
    const url = new URL(uri, session.mediaURL).href;
    if (session.prefetched.has(url)) return;
    const bytes = this.bytes(url, signal);
    bytes.catch(() => {});
    session.prefetched.set(url, bytes);
  }

  async appendAll(session, playlist, signal) {
    for (;;) {
      const found = pieceAt(playlist, session.position);
      if (found.wait) return;
      if (found.lost) {
        // Too late for what comes next (or the relay began anew): join again, as after a discontinuity.
        const position = startPosition(playlist);
        if (!position) throw new NotYet(200, 1);
        session.position = position;
        session.isLost = true;
        continue;
      }
      const { piece } = found;
      const bytes = await this.fetched(session, piece.uri, signal);
      await this.append(session, piece, bytes, playlist, signal);
      session.position = found.next;
      this.status = "playing";
    }
  }

  /** What was asked for ahead, or asks now; a request made ahead that failed is made again. */
  async fetched(session, uri, signal) {
    const url = new URL(uri, session.mediaURL).href;
    const ahead = session.prefetched.get(url);
    session.prefetched.delete(url);
    if (ahead) {
      try {
        return await ahead;
      } catch (error) {
        if (signal.aborted) throw error;
      }
    }
    return this.bytes(url, signal);
  }

  async append(session, piece, bytes, playlist, signal) {
    const { source } = this;
    const isNewTimeline = session.isFirst || session.isLost || piece.isDiscontinuous;
    if (piece.map !== session.map) {
      const init = await this.fetched(session, piece.map, signal);
      if (session.map !== null) await this.changeType(session, signal);
      session.map = piece.map;
      session.scales = timescales(init);
      await this.feed(init, signal);
    }
    if (isNewTimeline) {
      const time = decodeTime(bytes, session.scales) ?? 0;
      const end = source.buffered.length > 0 ? source.buffered.end(source.buffered.length - 1) : 0;
      await this.idle(signal);
      source.timestampOffset = end - time;
      session.offset = end - time;
      this.anchor = null;
    }
    await this.feed(bytes, signal);
    session.isFirst = false;
    session.isLost = false;
    const { buffered } = source;
    if (buffered.length === 0) return;
    const end = buffered.end(buffered.length - 1);
    if (piece.time !== null) this.anchor = piece.time - (end - piece.duration) * 1000;
    this.edge = { position: end, at: performance.now(), part: playlist.partTarget || playlist.targetDuration };
    this.control(playlist);
  }

  // Keeping to the live edge.

  /** Time since the edge was learned, no more than until the next part is due. */
  sinceEdge() {
    return Math.min((performance.now() - this.edge.at) / 1000, this.edge.part);
  }

  control(playlist) {
    const { video, source } = this;
    if (!source || !this.edge || source.buffered.length === 0) return;
    const start = source.buffered.start(0);
    const end = source.buffered.end(source.buffered.length - 1);
    if (!this.hasBegun) {
      // The picture appears near the live edge, not where decoding has to begin; but it does not wait for ever.
      this.edgeSince ??= performance.now();
      if (!this.hasCaughtUp && performance.now() - this.edgeSince < startLimit) return;
      video.currentTime = Math.max(start, end - playlist.holdBack);
      this.hasBegun = true;
      this.movedAt = performance.now();
      this.play();
      return;
    }
    this.leaveGap();
    const behind = end + this.sinceEdge() - video.currentTime;
    const excess = behind - playlist.holdBack;
    if (excess > jumpBehind) {
      video.currentTime = Math.max(start, end - playlist.holdBack);
    } else {
      // Hysteresis: hurry until the target is reached, not until it is nearly so.
      const isHurrying = video.playbackRate > 1;
      const rate = excess > (isHurrying ? 0.05 : 0.25) ? Math.min(fastest, 1.05 + excess * 0.15) : 1;
      if (Math.abs(video.playbackRate - rate) > 0.02) video.playbackRate = rate;
    }
    if (video.paused && !video.ended && !document.hidden) this.play();
    this.watchProgress();
  }

  /** Steps over holes in the buffer, which a lost part or a discontinuity may leave. */
  leaveGap() {
    const { video } = this;
    const { buffered } = video;
    for (let index = 0; index < buffered.length; index += 1) {
      if (buffered.start(index) <= video.currentTime && video.currentTime < buffered.end(index) - 0.02) return;
      if (buffered.start(index) > video.currentTime) {
        video.currentTime = buffered.start(index) + 0.01;
        return;
      }
    }
  }

  watchProgress() {
    const { video } = this;
    if (video.currentTime !== this.lastTime || this.buffered < 0.3 || document.hidden || video.seeking) {
      this.lastTime = video.currentTime;
      this.movedAt = performance.now();
    } else if (performance.now() - this.movedAt > stuckAfter) {
      this.movedAt = performance.now();
      this.fail(new Error("playback is stuck"));
    }
  }

  play() {
    this.video.play().catch((error) => {
      if (error.name !== "NotAllowedError") return;
      this.video.muted = true;
      this.video.play().catch(() => {});
    });
  }

  froze() {
    if (!this.hasPlayed || this.frozenSince !== null) return;
    this.freezes += 1;
    this.frozenSince = performance.now();
  }

  thawed() {
    this.hasPlayed = true;
    if (this.frozenSince === null) return;
    this.freezeMilliseconds += performance.now() - this.frozenSince;
    this.frozenSince = null;
  }

  // Media Source.

  async attach(session, signal) {
    const type = `video/mp4; codecs="${session.codecs}"`;
    if (!MediaSourceClass.isTypeSupported(type)) throw new Error(`this browser cannot play ${session.codecs}`);
    const media = new MediaSourceClass();
    this.mediaSource = media;
    this.video.disableRemotePlayback = true;
    this.objectURL = URL.createObjectURL(media);
    this.video.src = this.objectURL;
    await this.event(media, "sourceopen", signal);
    this.source = media.addSourceBuffer(type);
    this.source.mode = "segments";
    this.hasBegun = false;
    this.hasCaughtUp = false;
    this.hasPlayed = false;
    this.edgeSince = null;
    this.edge = null;
    this.anchor = null;
  }

  detach() {
    this.failure = null;
    this.source = null;
    this.mediaSource = null;
    if (this.objectURL) {
      URL.revokeObjectURL(this.objectURL);
      this.objectURL = null;
    }
    if (!this.aborter) {
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  async changeType(session, signal) {
    const variant = parseMultivariant((await this.text(session.url, signal)).text);
    if (!variant?.codecs || variant.codecs === session.codecs) return;
    if (!this.source.changeType) throw new Error("the camera changed its codec");
    await this.idle(signal);
    session.codecs = variant.codecs;
    this.source.changeType(`video/mp4; codecs="${variant.codecs}"`);
  }

  async feed(bytes, signal) {
    await this.idle(signal);
    try {
      this.source.appendBuffer(bytes);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      await this.trim(2, signal);
      this.source.appendBuffer(bytes);
    }
    await this.idle(signal);
    await this.trim(keptBehind, signal);
  }

  async trim(kept, signal) {
    const { source, video } = this;
    if (source.buffered.length === 0) return;
    const start = source.buffered.start(0);
    // In steps: every removal interrupts appending.
    if (video.currentTime - start < kept + 5) return;
    source.remove(start, video.currentTime - kept);
    await this.idle(signal);
  }

  async idle(signal) {
    if (this.failure) throw this.failure;
    if (this.mediaSource?.readyState !== "open" || this.video.error) throw new Error("the decoder gave up");
    while (this.source.updating) await this.event(this.source, "updateend", signal);
  }

  fail(error) {
    this.failure = error;
    this.source?.dispatchEvent(new Event("updateend"));
  }

  event(target, name, signal) {
    return new Promise((resolve, reject) => {
      const stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      target.addEventListener(
        name,
        () => {
          signal.removeEventListener("abort", stop);
          resolve();
        },
        { once: true },
      );
    });
  }

  // HTTP.

  async media(session, query, signal) {
    const separator = session.mediaURL.includes("?") ? "&" : "?";
    const url = query ? `${session.mediaURL}${separator}${query}` : session.mediaURL;
    const { text } = await this.text(url, signal);
    const playlist = parseMedia(text);
    if (!playlist) throw new Error("the playlist is malformed");
    return playlist;
  }

  async text(url, signal) {
    const response = await this.request(url, signal);
    return { text: await response.text(), url: response.url };
  }

  async bytes(url, signal) {
    return (await this.request(url, signal)).arrayBuffer();
  }

  async request(url, signal) {
    const viewer = this.viewer();
    const response = await fetch(url, {
      signal: AbortSignal.any ? AbortSignal.any([signal, AbortSignal.timeout(patience)]) : signal,
      headers: viewer ? { "Signalbox-Viewer": viewer } : {},
    });
    if (!response.ok) {
      const after = Number.parseFloat(response.headers.get("Retry-After"));
      throw new NotYet(response.status, Number.isFinite(after) ? after : undefined);
    }
    return response;
  }
}
