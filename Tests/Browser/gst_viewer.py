"""A WHEP viewer made of GStreamer's webrtcbin, which we did not write and which presents an RSA certificate.

Run with the system's Python (it needs the gi bindings):

    gst_viewer.py URL FRAMES

Decodes so many pictures and prints one JSON line about them.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
import time
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

VIDEO = (
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f"
)
AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"


class Viewer:
    def __init__(self, url: str, wanted: int) -> None:
        self.url = url
        self.wanted = wanted
        self.frames = 0
        self.begun = time.monotonic()
        self.first: float | None = None
        self.size = (0, 0)
        self.failure: str | None = None
        self.fingerprint: str | None = None
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline.new()
        self.peer = Gst.ElementFactory.make("webrtcbin")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.peer)
        receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        for caps in (VIDEO, AUDIO):
            self.peer.emit("add-transceiver", receive, Gst.Caps.from_string(caps))
        self.peer.connect("pad-added", self.on_pad)
        self.peer.connect("notify::ice-gathering-state", self.on_gathering)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _bus, message: self.fail(str(message.parse_error())))
        self.pipeline.set_state(Gst.State.PLAYING)
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer, None))

    def fail(self, reason: str) -> None:
        self.failure = self.failure or reason
        self.loop.quit()

    def on_offer(self, promise: Gst.Promise, _data: object) -> None:
        promise.wait()
        # The offer lives as long as the reply does.
        reply = promise.get_reply()
        self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def on_gathering(self, peer: Gst.Element, _property: object) -> None:
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.post)

    def post(self) -> bool:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        offer = self.peer.get_property("local-description").sdp.as_text()
        self.fingerprint = re.search(r"a=fingerprint:sha-256 (\S+)", offer)[1]
        request = urllib.request.Request(
            self.url, offer.encode(), {"Content-Type": "application/sdp"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as response:
                text = response.read().decode()
        except OSError as error:
            self.fail(f"WHEP: {error}")
            return False
        _, message = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())
        return False

    def on_pad(self, _peer: Gst.Element, pad: Gst.Pad) -> None:
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps() or pad.query_caps(None)
        is_video = caps.get_structure(0).get_string("media") == "video"
        chain = "rtph264depay ! h264parse ! avdec_h264 ! fakesink name=out signal-handoffs=true sync=false"
        branch = Gst.parse_bin_from_description(chain if is_video else "fakesink sync=false", True)
        if is_video:
            branch.get_by_name("out").connect("handoff", self.on_picture)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def on_picture(self, _sink: Gst.Element, _buffer: Gst.Buffer, pad: Gst.Pad) -> None:
        self.first = self.first or time.monotonic() - self.begun
        structure = pad.get_current_caps().get_structure(0)
        self.size = (structure.get_value("width"), structure.get_value("height"))
        self.frames += 1
        if self.frames == self.wanted:
            GLib.idle_add(self.loop.quit)

    def run(self, seconds: int) -> dict[str, object]:
        GLib.timeout_add_seconds(seconds, lambda: self.fail(f"{self.frames} pictures in {seconds} s"))
        self.loop.run()
        certificate = self.certificate()
        self.pipeline.set_state(Gst.State.NULL)
        return {
            "frames": self.frames,
            "size": self.size,
            "first": self.first,
            "failure": self.failure,
            "certificate": certificate,
            "fingerprint": self.fingerprint,
        }

    def certificate(self) -> str | None:
        """What it presents in the handshake, in PEM, without the key."""
        elements = self.peer.iterate_recurse()
        while True:
            result, element = elements.next()
            if result != Gst.IteratorResult.OK:
                return None
            factory = element.get_factory()
            if factory and factory.get_name() == "dtlsdec":
                return "".join(re.findall(r"-----BEGIN CERTIFICATE-.*?-END CERTIFICATE-----", element.get_property("pem"), re.S))


def main() -> None:
    Gst.init(None)
    print(json.dumps(Viewer(sys.argv[1], int(sys.argv[2])).run(30)), flush=True)


if __name__ == "__main__":
    main()
