// The first thing that runs, out of the document itself: what the first picture waits for longest, a connection to the
// relay and an offer, is under way while the rest of the page is read and painted. player.js goes on with `begun`.
const begun = (() => {
  const camera = decodeURIComponent(location.pathname).replace(/^\/+|\/+$/g, "");
  const socketURL = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/${camera}/ws`;

  /** A peer that wants picture and sound. */
  function newPeer(iceServers) {
    const peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    return peer;
  }

  /** An offer needs no ICE servers, and so no answer to the first message; null where it cannot be made this way. */
  async function makeOffer() {
    if (!globalThis.RTCPeerConnection?.prototype.setConfiguration) return null;
    try {
      const peer = newPeer([]);
      const { sdp } = await peer.createOffer();
      return { peer, sdp, offeredAt: null };
    } catch {
      // Whoever starts WebRTC is told why.
      return null;
    }
  }

  /** The first message of a connection, with the identity that the viewer had on the one before. */
  function hello(viewer) {
    const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.("video")?.codecs ?? [];
    return {
      type: "hello",
      viewer: viewer ?? undefined,
      codecs: [...new Set(codecs.map(({ mimeType }) => mimeType.replace("video/", "")))],
      mse: Boolean(globalThis.ManagedMediaSource ?? globalThis.MediaSource),
      network: navigator.connection?.effectiveType,
    };
  }

  const socket = new WebSocket(socketURL);
  const send = (message) => socket.send(JSON.stringify(message));
  let made = null;
  let hasGreeted = false;

  function sendOffer() {
    if (!made || !hasGreeted) return;
    send({ type: "offer", sdp: made.sdp });
    made.offeredAt = performance.now();
  }

  /** What the relay says before player.js listens. */
  const heard = [];
  socket.onmessage = ({ data }) => heard.push(data);
  socket.onopen = () => {
    send(hello());
    hasGreeted = true;
    sendOffer();
  };
  /** The offer, which goes out as soon as there is a connection. */
  const offer = makeOffer().then((result) => {
    made = result;
    sendOffer();
    return result;
  });
  return { camera, socketURL, newPeer, hello, socket, heard, offer };
})();
