"""Clients we did not write: aiortc by WHEP, ffprobe by HLS."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import urllib.request

import pytest

from harness import eventually, report
from test_switching import camera_configuration


def insecure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def watch_with_aiortc(url: str, frames: int) -> tuple[int, int, str]:
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

    # Without this it would ask a public STUN server.
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("video", direction="recvonly")
    connection.addTransceiver("audio", direction="recvonly")
    done: asyncio.Future = asyncio.get_running_loop().create_future()

    @connection.on("track")
    def on_track(track) -> None:
        async def receive() -> None:
            size = (0, 0)
            for _ in range(frames):
                frame = await track.recv()
                size = (frame.width, frame.height)
            if not done.done():
                done.set_result(size)

        if track.kind == "video":
            asyncio.ensure_future(receive())

    await connection.setLocalDescription(await connection.createOffer())
    request = urllib.request.Request(
        url, connection.localDescription.sdp.encode(), {"Content-Type": "application/sdp"}, method="POST"
    )
    response = await asyncio.to_thread(urllib.request.urlopen, request, context=insecure())
    assert response.status == 201
    location = response.headers["Location"]
    await connection.setRemoteDescription(RTCSessionDescription(response.read().decode(), "answer"))
    width, height = await asyncio.wait_for(done, 20)
    await connection.close()
    return width, height, location


def test_aiortc_decodes_100_frames_by_whep(start) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    width, height, location = asyncio.run(watch_with_aiortc(f"{relay.page}/clock/whep", 100))
    assert (width, height) == (1280, 720)
    assert location
    # Its DTLS close_notify or its silence ends it.
    eventually(lambda: not relay.viewers(), 40, "the viewer is gone")


def test_ffprobe_decodes_100_frames_by_hls(start) -> None:
    demo = start.demo("--cameras", "2")
    relay = start.relay({"yard": camera_configuration(demo, "demo/yard")})
    relay.wait_for_camera("yard")
    done = subprocess.run(
        [
            "ffprobe", "-v", "error", "-tls_verify", "0", "-read_intervals", "%+#100",
            "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames,width,height", "-of", "json",
            f"{relay.page}/yard/index.m3u8",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    streams = {stream["codec_name"]: stream for stream in json.loads(done.stdout)["streams"]}
    report(f"ffprobe: {streams} {done.stderr.strip()[:200]}")
    assert streams["h264"]["width"] == 1280
    read = sum(int(stream["nb_read_frames"]) for stream in streams.values())
    assert read >= 100, done.stdout
    assert "aac" in streams


def test_hls_decodes_100_pictures_without_a_complaint(start) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    done = subprocess.run(
        ["ffmpeg", "-v", "warning", "-tls_verify", "0", "-i", f"{relay.page}/clock/index.m3u8",
         "-frames:v", "100", "-f", "framecrc", "-"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    pictures = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert len(pictures) == 100
    assert not [line for line in done.stderr.splitlines() if "error" in line.lower()], done.stderr


LISTEN_BY_WHEP = """async (url) => {
    const connection = new RTCPeerConnection();
    connection.addTransceiver('audio', { direction: 'recvonly' });
    connection.addTransceiver('video', { direction: 'recvonly' });
    const streams = [];
    connection.ontrack = (event) => {
        const audio = new Audio();
        audio.srcObject = new MediaStream([event.track]);
        audio.play().catch(() => {});
        streams.push(audio);
    };
    await connection.setLocalDescription(await connection.createOffer());
    const response = await fetch(url, {
        method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: connection.localDescription.sdp,
    });
    await connection.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    const read = async () => {
        for (const report of (await connection.getStats()).values()) {
            if (report.type === 'inbound-rtp' && report.kind === 'audio') {
                const codec = (await connection.getStats()).get(report.codecId);
                return { energy: report.totalAudioEnergy, packets: report.packetsReceived, codec: codec.mimeType };
            }
        }
        return null;
    };
    for (let tries = 0; tries < 100; tries += 1) {
        const heard = await read();
        if (heard && heard.energy > 0) { connection.close(); return heard; }
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const last = await read();
    connection.close();
    return last;
}"""


@pytest.mark.parametrize("audio, mime", [("pcmu", "audio/PCMU"), ("pcma", "audio/PCMA"), ("opus", "audio/opus")])
def test_chromium_hears_sound_that_passes_through(start, chromium, audio: str, mime: str) -> None:
    camera = start.gstreamer(audio=audio)
    relay = start.relay({"yard": {"source": camera.url}})
    relay.wait_for_camera("yard")
    page = chromium.new_context(ignore_https_errors=True).new_page()
    page.goto(f"{relay.page}/healthz")
    heard = page.evaluate(LISTEN_BY_WHEP, f"{relay.page}/yard/whep")
    assert heard and heard["codec"] == mime and heard["energy"] > 0, heard
