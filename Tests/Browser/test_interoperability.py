"""Programs we did not write, one for each way of doing it differently: Firefox without H.264, GStreamer with RSA."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from browser import Watching
from firefox import FIREFOX, Firefox
from harness import eventually, report
from test_firewall import client_network
from test_switching import camera_configuration

HERE = pathlib.Path(__file__).resolve().parent


class FirefoxWatching(Watching):
    """The page of a camera in Firefox."""

    def __init__(self, firefox: Firefox, url: str) -> None:
        self.page = firefox
        self.problems = []
        self.navigations = 1
        firefox.goto(url)


@pytest.fixture
def firefox(open_things):
    if not FIREFOX:
        reason = "firefox-esr is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    browser = Firefox()
    open_things.callback(browser.close)
    return browser


def test_firefox_without_h264_goes_to_hls_by_itself_and_the_reason_is_shown(start, firefox) -> None:
    demo = start.demo("--cameras", "1")
    console = start.console({"clock": camera_configuration(demo)})
    console.wait_for("clock", 20)
    eventually(lambda: console.camera("clock")["state"] == "live", 20, "the camera is live")
    codecs = firefox.evaluate("() => RTCRtpReceiver.getCapabilities('video').codecs.map(codec => codec.mimeType)")
    if "video/H264" in codecs:
        pytest.skip("this Firefox has its H.264 plug-in")

    began = time.monotonic()
    page = FirefoxWatching(firefox, f"{console.page}/clock")
    state = page.wait_until_playing("hls", within=30)
    report(f"Firefox {firefox.version}: page open to HLS frames rising {time.monotonic() - began:.1f} s")
    page.wait_until_moving()
    reason = "The camera sends H264; the browser offers VP8, VP9, AV1."
    assert reason in state["text"], state["text"]

    viewer = eventually(lambda: next(iter(console.viewers()), None), 5, "the viewer is listed")
    assert viewer["id"] == state["viewer"] and viewer["delivery"] == "hls"
    assert reason in json.dumps(viewer), viewer
    console.press("3")
    console.wait_for(viewer["id"][:6])
    console.press("\r")
    console.wait_for("the browser offers")


def test_gstreamer_decodes_100_pictures_by_whep_with_an_rsa_certificate(start, open_things) -> None:
    if os.geteuid() != 0:
        reason = "needs root for a network namespace: libnice takes no loopback for a path"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    demo = start.demo("--cameras", "2")
    namespace = open_things.enter_context(client_network())
    relay = start.relay(
        {"yard": camera_configuration(demo, "demo/yard")}, auth="open", host="198.18.7.1", advertise=["198.18.7.1"]
    )
    relay.wait_for_camera("yard")
    https = relay.listener("https").rsplit(":", 1)[1]
    url = f"https://198.18.7.1:{https}/yard/whep"
    viewer = subprocess.Popen(
        ["ip", "netns", "exec", namespace, "/usr/bin/python3", str(HERE / "gst_viewer.py"), url, "100"],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        output, _ = viewer.communicate(timeout=60)
    finally:
        viewer.kill()
        viewer.wait()
    seen = json.loads(output.strip().splitlines()[-1])
    assert seen["failure"] is None and seen["frames"] == 100, seen
    assert seen["size"] == [1280, 720]
    certificate = x509.load_pem_x509_certificate(seen["certificate"].encode())
    key = certificate.public_key()
    report(f"webrtcbin: 100 pictures, the first after {seen['first']:.1f} s, {type(key).__name__} of {key.key_size} bits")
    assert isinstance(key, rsa.RSAPublicKey), key
    # The relay has let nobody in whose certificate is not the one that was announced.
    assert certificate.fingerprint(hashes.SHA256()).hex(":").upper() == seen["fingerprint"].upper()
    eventually(lambda: not relay.viewers(), 40, "the viewer is gone")
