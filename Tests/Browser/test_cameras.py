"""Cameras of all kinds, pulled by the relay: what the operator reads about them is true."""

from __future__ import annotations

import socket
import time

import pytest

from browser import Watching
from harness import eventually, report
from link import TCPLink


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("audio", ["aac", "pcmu"])
def test_gstreamer_camera_with_digest_is_live(start, transport: str, audio: str) -> None:
    camera = start.gstreamer(protocol=transport, audio=audio, user="relay", password="secret")
    relay = start.relay(
        {"yard": {"source": camera.url, "user": "relay", "password": "secret", "transport": transport}}
    )
    relay.wait_for_camera("yard")

    def figures():
        seen = relay.camera("yard")
        return seen if seen.get("fps") and seen.get("gopFrames") else None

    seen = eventually(figures, 12, "the camera's figures")
    assert seen["transport"] == transport
    assert 20 <= seen["fps"] <= 30, seen["fps"]
    assert seen["gopFrames"] == 50
    assert seen["bitrate"] > 100_000
    tracks = {track["kind"]: track for track in seen["tracks"]}
    assert (tracks["video"]["width"], tracks["video"]["height"]) == (640, 360)
    assert tracks["video"]["codec"] == "H264"
    assert tracks["audio"]["codec"] == {"aac": "AAC", "pcmu": "PCMU"}[audio]
    assert seen["sound"]["to"] == {"aac": "Opus", "pcmu": "AAC"}[audio] and seen["sound"]["state"] == "idle"
    assert not seen["notes"], "sound reaches every delivery"


def test_transport_is_chosen_by_itself(start) -> None:
    camera = start.gstreamer(protocol="udp")
    relay = start.relay({"yard": {"source": camera.url}})
    assert relay.wait_for_camera("yard")["transport"] == "udp"


def test_wrong_password_is_held_and_says_so(start) -> None:
    camera = start.gstreamer(user="relay", password="secret")
    relay = start.relay({"yard": {"source": camera.url, "user": "relay", "password": "wrong"}})
    seen = relay.wait_for_camera("yard", "held")
    assert "password" in seen["reason"] and seen["remedy"]
    assert 20 < seen["nextRetry"] <= 30


def test_wrong_path_is_named(start) -> None:
    camera = start.gstreamer()
    relay = start.relay({"yard": {"source": camera.url.replace("/live", "/nothing")}})
    seen = relay.wait_for_camera("yard", "retrying")
    assert "path" in seen["reason"] or "404" in seen["reason"]
    assert seen["remedy"]


def test_a_camera_that_numbers_its_parameter_sets_anew_with_every_keyframe_is_seen(start, chromium) -> None:
    """OpenH264 does so by default; GStreamer's payloader sends all there ever were, in the order of their numbers."""
    camera = start.gstreamer(video="renumbered", gop=12)
    relay = start.relay({"yard": {"source": camera.url}})
    relay.wait_for_camera("yard")
    # A number comes round again after 32 keyframes.
    eventually(lambda: relay.camera("yard")["uptime"] > 18, 30, "the camera has been live for a while")
    page = Watching(chromium, f"{relay.page}/yard")
    viewer = page.wait_until_playing("webrtc")["viewer"]
    before = page.frames()
    time.sleep(3)
    assert page.frames() - before > 60, "pictures are decoded from every keyframe on"
    page.wait_until_moving()
    assert relay.ctl("switch", viewer, "hls", "--wait")["outcome"] == "succeeded"
    page.wait_until_playing("hls")
    before = page.frames()
    time.sleep(3)
    assert page.frames() - before > 50
    page.wait_until_moving()
    assert not page.problems, page.problems


def test_unsupported_codec_is_named(start) -> None:
    camera = start.gstreamer(video="mjpeg")
    relay = start.relay({"yard": {"source": camera.url}})
    seen = eventually(
        lambda: (lambda c: c if c["state"] == "held" else None)(relay.camera("yard")), 15, "the camera is held"
    )
    assert "JPEG" in seen["reason"].upper() and "H.264" in seen["remedy"]


def test_unreachable_and_not_rtsp_are_told_apart(start) -> None:
    with socket.socket() as closed, socket.create_server(("127.0.0.1", 0)) as http:
        closed.bind(("127.0.0.1", 0))
        relay = start.relay(
            {
                "nobody": {"source": f"rtsp://127.0.0.1:{closed.getsockname()[1]}/live"},
                "nameless": {"source": "rtsp://no-such-host.invalid/live"},
                "web": {"source": f"rtsp://127.0.0.1:{http.getsockname()[1]}/live"},
            }
        )
        http.settimeout(10)
        connection, _ = http.accept()
        connection.recv(2048)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        connection.close()
        assert "Nothing accepts connections" in relay.wait_for_camera("nobody", "retrying")["reason"]
        assert "does not resolve" in relay.wait_for_camera("nameless", "retrying")["reason"]
        assert "RTSP" in relay.wait_for_camera("web", "retrying")["reason"]


def test_demo_cameras_stall_stop_and_return(start) -> None:
    demo = start.demo("--cameras", "1")
    camera = demo.cameras["demo/clock"]
    relay = start.relay(
        {"clock": {"source": camera["url"], "user": camera["user"], "password": camera["password"]}}
    )
    relay.wait_for_camera("clock")
    demo.say("stall demo/clock")
    stalled = relay.wait_for_camera("clock", "stalled", within=6)
    assert "no video" in stalled["reason"] and stalled["severity"] == 4
    demo.say("resume demo/clock")
    relay.wait_for_camera("clock", within=6)
    demo.say("stop demo/clock")
    gone = relay.wait_for_camera("clock", "retrying", within=8)
    assert gone["reason"] and gone["remedy"] and gone["nextRetry"] is not None
    demo.say("start demo/clock")
    back = relay.wait_for_camera("clock", within=20)
    assert back["reconnects"] == 1


def test_a_camera_whose_connection_is_cut_is_dark_for_less_than_a_second(start, open_things, chromium) -> None:
    """The same viewer goes on with the keyframe that this camera begins every session with."""
    demo = start.demo("--cameras", "1", "--gop", "10", "--keyframe-on-play")
    camera = demo.cameras["demo/clock"]
    address = camera["url"].split("//")[1].split("/")[0]
    link = TCPLink(address)
    open_things.callback(link.close)
    relay = start.relay(
        {
            "clock": {
                "source": camera["url"].replace(address, f"127.0.0.1:{link.port}"),
                "user": camera["user"],
                "password": camera["password"],
                "delivery": "webrtc",
            }
        }
    )
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock")
    viewer = page.wait_until_playing("webrtc")["viewer"]
    page.page.evaluate(
        """() => {
            window.shown = [];
            const video = document.getElementById('webrtc');
            const next = (now) => { window.shown.push(now); video.requestVideoFrameCallback(next); };
            video.requestVideoFrameCallback(next);
        }"""
    )
    for reconnects in (1, 2):
        # The second cut finds a camera that has long been well again; one that comes and goes is tried more rarely.
        page.page.wait_for_timeout(1500 if reconnects == 1 else 10_500)
        link.cut()
        eventually(lambda: relay.camera("clock")["reconnects"] == reconnects, 5, "the relay has noticed")
        relay.wait_for_camera("clock", within=5)
        page.page.wait_for_timeout(1500)
        dark = page.page.evaluate(
            """() => {
                const shown = window.shown.splice(0);
                return Math.max(...shown.slice(1).map((time, index) => time - shown[index]));
            }"""
        )
        report(f"camera's TCP connection cut, time {reconnects}: dark for {dark:.0f} ms")
        assert dark < 1000
    assert page.state()["viewer"] == viewer and page.state()["delivery"] == "webrtc"
    assert relay.viewers()[0]["attempts"] == 1, "the session did not last"
    assert link.accepted == 3
