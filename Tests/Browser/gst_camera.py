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

AUDIO = {
    "none": "",
    "aac": "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=2 ! avenc_aac bitrate=64000 "
    "! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "pcmu": "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0",
    "pcma": "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
    "opus": "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97",
}

VIDEO = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate=1500 key-int-max={gop} bframes=0 "
    "! video/x-h264,profile=constrained-baseline ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    "none": "",
}


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
    # `snow` fills the encoder's 1.5 Mbit/s.
    parser.add_argument("--pattern", default="ball")
    options = parser.parse_args()

    Gst.init(None)
    width, height = options.size.split("x")
    video = (
        f"videotestsrc is-live=true pattern={options.pattern} ! video/x-raw,width={width},height={height},framerate={options.fps}/1 "
        f"! videoconvert ! video/x-raw,format=I420 ! {VIDEO[options.video].format(gop=options.gop)}"
        if options.video != "none"
        else ""
    )

    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {video} {AUDIO[options.audio]} )")
    factory.set_shared(True)
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
