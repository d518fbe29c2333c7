// Runs before a page's own scripts: notes every picture that is shown, by the clock in it, and every beep that is heard.
(() => {
  const watch = { pictures: [], beeps: [], peers: [], skews: [] };
  window.watching = watch;

  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...parameters) {
      super(...parameters);
      watch.peers.push(this);
      this.addEventListener("track", ({ track }) => {
        if (track.kind === "audio") listen(track);
      });
    }
  };

  const wallClock = (pageTime) => Date.now() - (performance.now() - pageTime);

  // --- pictures ---

  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });

  /** Unix milliseconds in the strip along the demo picture's top edge; null where it cannot be trusted. */
  function clockIn(video) {
    const width = video.videoWidth;
    canvas.width = width;
    canvas.height = 1;
    context.drawImage(video, 0, 10, width, 1, 0, 0, width, 1);
    const row = context.getImageData(0, 0, width, 1).data;
    const cells = [];
    for (let cell = 0; cell < 48; cell += 1) {
      let sum = 0;
      const middle = Math.floor(((2 * cell + 1) * width) / 96);
      for (let x = middle - 2; x <= middle + 2; x += 1) sum += row[4 * x];
      cells.push(sum / 5);
    }
    if (cells[0] - cells[1] < 100) return null;
    const bits = cells.map((level) => (level > (cells[0] + cells[1]) / 2 ? 1 : 0));
    const time = bits.slice(2, 44).reduce((value, bit) => value * 2 + bit, 0);
    const check = bits.slice(44).reduce((value, bit) => value * 2 + bit, 0);
    let folded = 0;
    for (let rest = time; rest > 0; rest = Math.floor(rest / 16)) folded ^= rest % 16;
    return folded === check ? time : null;
  }

  function watchPictures(video) {
    const shown = (_now, frame) => {
      const at = frame.expectedDisplayTime;
      const clock = clockIn(video);
      watch.pictures.push({ at, age: clock === null ? null : wallClock(at) - clock, frames: frame.presentedFrames });
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }

  const finder = new MutationObserver(() => {
    const video = document.getElementById("webrtc");
    if (!video) return;
    finder.disconnect();
    watchPictures(video);
  });
  finder.observe(document, { childList: true, subtree: true });

  // --- sound ---

  const worklet = `registerProcessor("onsets", class extends AudioWorkletProcessor {
    process([input]) {
      const samples = input[0];
      if (!samples) return true;
      for (let index = 0; index < samples.length; index += 1) {
        const now = currentTime + index / sampleRate;
        if (Math.abs(samples[index]) < 0.02) continue;
        if (!this.loudAt || now - this.loudAt > 0.3) this.port.postMessage(now);
        this.loudAt = now;
      }
      return true;
    }
  });`;

  async function listen(track) {
    const audio = new AudioContext({ latencyHint: 0 });
    await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: "text/javascript" })));
    const node = new AudioWorkletNode(audio, "onsets");
    node.port.onmessage = ({ data }) => {
      const { contextTime, performanceTime } = audio.getOutputTimestamp();
      const at = performanceTime + (data - contextTime) * 1000;
      // It begins with the second; the first 4 ms are a ramp.
      const late = wallClock(at) % 1000;
      watch.beeps.push({ at, age: late > 900 ? late - 1000 : late });
    };
    audio.createMediaStreamSource(new MediaStream([track])).connect(node);
    node.connect(audio.destination);
  }

  // --- what the browser thinks of the two ---

  /** Twice a second, once it has an account: milliseconds that sound is behind the picture. */
  setInterval(async () => {
    const reports = [...((await watch.peers.at(-1)?.getStats())?.values() ?? [])];
    const [picture, sound] = ["video", "audio"].map((kind) => {
      return reports.find((one) => one.type === "inbound-rtp" && one.kind === kind)?.estimatedPlayoutTimestamp;
    });
    if (picture && sound) watch.skews.push({ at: performance.now(), late: Math.round(picture - sound) });
  }, 500);
})();
