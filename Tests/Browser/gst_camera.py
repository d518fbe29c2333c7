"""A camera made by GStreamer's RTSP server, which we did not write.

Run with the system's Python (it needs the gi bindings):

    gst_camera.py --port 0 --audio aac --user relay --password secret

Prints one line `rtsp://127.0.0.1:PORT/live` when it serves, and ends when its standard input closes. The line
`drop` on standard input closes every client's connection.
"""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

from layers import LayeredEncoder  # noqa: E402

AUDIO = {
    "none": "",
    "aac": "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=2 ! avenc_aac bitrate=64000 "
    "! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "pcmu": "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0",
    "pcma": "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
    "opus": "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97",
}

VIDEO = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate={bitrate} key-int-max={gop} bframes=0 "
    "! video/x-h264,profile=constrained-baseline ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
    # Parameter sets get new numbers with every keyframe, and all that ever were are sent again.
    "renumbered": "openh264enc gop-size={gop} bitrate={bitrate}000 rate-control=bitrate "
    "! video/x-h264,profile=constrained-baseline ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
    # Every second picture is one that no other refers to.
    "layered": "appsrc name=layers is-live=true do-timestamp=true format=time "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au "
    "! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    "none": "",
}


def encode_layers(source: Gst.Element, width: int, height: int, fps: int, gop: int) -> Gst.Element:
    """Feeds `source` with a picture in two temporal layers, of some 1.9 Mbit/s, a good 0.8 of them droppable."""
    encoder = LayeredEncoder(width, height, fps, gop, quantiser=34)
    pictures = Gst.parse_launch(
        f"videotestsrc is-live=true pattern=snow ! video/x-raw,format=I420,width=32,height=18,framerate={fps}/1 "
        f"! videoscale method=bilinear ! video/x-raw,width={width},height={height} ! appsink name=pictures emit-signals=true"
    )

    def on_picture(sink: Gst.Element) -> Gst.FlowReturn:
        buffer = sink.emit("pull-sample").get_buffer()
        mapped, picture = buffer.map(Gst.MapFlags.READ)
        if not mapped:
            return Gst.FlowReturn.ERROR
        encoded = encoder.encode(bytes(picture.data))
        buffer.unmap(picture)
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(encoded))

    pictures.get_by_name("pictures").connect("new-sample", on_picture)
    pictures.set_state(Gst.State.PLAYING)
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="0")
    parser.add_argument("--video", choices=VIDEO, default="h264")
    parser.add_argument("--audio", choices=AUDIO, default="none")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--protocol", choices=["tcp", "udp", "both"], default="both")
    parser.add_argument("--gop", type=int, default=50)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", type=int, default=25)
    # `snow` fills the encoder's bit rate.
    parser.add_argument("--pattern", default="ball")
    parser.add_argument("--bitrate", type=int, default=1500, help="kbit/s of H.264")
    options = parser.parse_args()

    Gst.init(None)
    width, height = options.size.split("x")
    video = VIDEO[options.video].format(gop=options.gop, bitrate=options.bitrate)
    if options.video not in ("none", "layered"):
        video = (
            f"videotestsrc is-live=true pattern={options.pattern} "
            f"! video/x-raw,width={width},height={height},framerate={options.fps}/1 "
            f"! videoconvert ! video/x-raw,format=I420 ! {video}"
        )

    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {video} {AUDIO[options.audio]} )")
    factory.set_shared(True)
    if options.video == "layered":
        generators = []

        def on_media(_factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia) -> None:
            source = media.get_element().get_by_name("layers")
            generators.append(encode_layers(source, int(width), int(height), options.fps, options.gop))

        factory.connect("media-configure", on_media)
    factory.set_protocols(
        {
            "tcp": GstRtsp.RTSPLowerTrans.TCP,
            "udp": GstRtsp.RTSPLowerTrans.UDP,
            "both": GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP,
        }[options.protocol]
    )

    if options.user:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_digest(options.user, options.password, token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)

    server.get_mount_points().add_factory("/live", factory)
    loop = GLib.MainLoop()
    source = server.attach(None)
    if source == 0:
        sys.exit("gst_camera: the port is in use")

    def on_input(_channel, condition) -> bool:
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        if line.strip() == "drop":
            server.client_filter(lambda _server, _client: GstRtspServer.RTSPFilterResult.REMOVE)
        return True

    GLib.io_add_watch(GLib.IOChannel.unix_new(sys.stdin.fileno()), GLib.IO_IN | GLib.IO_HUP, on_input)
    print(f"rtsp://127.0.0.1:{server.get_bound_port()}/live", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
