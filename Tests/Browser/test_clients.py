"""Clients we did not write: aiortc by WHEP, ffprobe by HLS."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import ssl
import struct
import subprocess
import time
import urllib.request

import pytest

from harness import cpu_seconds, eventually, report
from hostile import CONTROLLING, PRIORITY, SUCCESS, USERNAME, HostileViewer, Stranger, request, signed_by, stun
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


def test_a_foreign_client_restarts_ice_by_patch_while_its_pictures_go_on(start) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")

    async def run() -> None:
        viewer = HostileViewer(f"{relay.page}/clock/whep")
        assert await viewer.connect() == 201
        await viewer.see(25)
        ice = viewer.dtls.transport._connection
        session = f"{relay.page}{viewer.location}"

        async def patch(fragment: str, match: str | None) -> tuple[int, dict[str, str], str]:
            fields = {"Content-Type": "application/trickle-ice-sdpfrag", **({"If-Match": match} if match else {})}
            return await asyncio.to_thread(request, "PATCH", session, fragment.encode(), fields)

        def check(ours: tuple[str, str], theirs: str) -> bytes:
            name = f"{ours[0]}:{theirs}".encode()
            attributes = [(USERNAME, name), (PRIORITY, struct.pack("!I", 1)), (CONTROLLING, os.urandom(8))]
            return stun(attributes, ours[1].encode())

        def is_answered(stranger: Stranger, ours: tuple[str, str], theirs: str) -> bool:
            stranger.heard()
            message = check(ours, theirs)
            stranger.send(message)
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                for answer in stranger.heard():
                    if answer[8:20] == message[8:20]:
                        assert struct.unpack("!H", answer[:2])[0] == SUCCESS and signed_by(answer, ours[1].encode())
                        return True
                time.sleep(0.01)
            return False

        before = (ice.remote_username, ice.remote_password)
        theirs = ice.local_username
        candidate = "a=candidate:1 1 udp 1 192.0.2.1 61002 typ host\r\n"
        trickled = f"a=ice-ufrag:{theirs}\r\na=ice-pwd:{ice.local_password}\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n{candidate}"
        assert (await patch(trickled, None))[0] == 428
        assert (await patch(trickled, '"another"'))[0] == 412
        assert (await patch(trickled, viewer.tag))[0] == 204
        eventually(
            lambda: any("192.0.2.1:61002" in pair["remote"] for pair in relay.snapshot()["pairs"]), 5, "it is a pair"
        )

        new = ("newfragment", "a-password-of-22-chars-")
        status, headers, fragment = await patch(f"a=ice-ufrag:{new[0]}\r\na=ice-pwd:{new[1]}\r\n", '"*"')
        assert status == 200 and headers["Content-Type"] == "application/trickle-ice-sdpfrag"
        assert headers["ETag"] not in ("", viewer.tag)
        after = tuple(re.search(f"a=ice-{part}:(.+)\r\n", fragment)[1] for part in ("ufrag", "pwd"))
        assert after[0] != before[0] and after[1] != before[1]
        port = relay.listener("media/udp").rsplit(":", 1)[1]
        assert re.search(rf"a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 {port} typ host\r\n", fragment), fragment
        assert "a=end-of-candidates" in fragment

        ice._local_username, ice._local_password = new
        ice.remote_username, ice.remote_password = after
        stranger = Stranger(int(port))
        assert await asyncio.to_thread(is_answered, stranger, after, new[0])
        assert not await asyncio.to_thread(is_answered, stranger, after, theirs), "the other half has changed too"
        restarted = time.monotonic()
        # What was checked with the old password is good for ten seconds more, and then nothing is.
        while await asyncio.to_thread(is_answered, stranger, before, theirs):
            assert time.monotonic() - restarted < 15
            await asyncio.sleep(0.5)
        assert time.monotonic() - restarted > 8
        stranger.close()
        assert (await patch(trickled, viewer.tag))[0] == 412
        await viewer.see(25)
        # The client's own checks go on under the new credentials: its consent lives on.
        await asyncio.sleep(max(0, restarted + 33 - time.monotonic()))
        await viewer.see(25)
        pair = next(pair for pair in relay.snapshot()["pairs"] if pair["isSelected"])
        assert pair["lastActivity"] < 10, pair
        assert (await asyncio.to_thread(request, "DELETE", session))[0] == 200
        assert (await patch(trickled, '"*"'))[0] == 404
        await viewer.close()

    asyncio.run(run())


def test_restarts_without_end_are_refused(start) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    connection = http.client.HTTPConnection(relay.listener("http"))
    statuses: list[int] = []

    async def run() -> None:
        viewer = HostileViewer(f"{relay.page}/clock/whep")
        assert await viewer.connect() == 201
        fields = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
        until = time.monotonic() + 3
        while time.monotonic() < until:
            fragment = f"a=ice-ufrag:f{len(statuses):04}\r\na=ice-pwd:a-password-of-22-chars-\r\n"
            connection.request("PATCH", viewer.location, fragment, fields)
            answer = connection.getresponse()
            body = json.loads(answer.read()) if answer.status == 429 else answer.read()
            statuses.append(answer.status)
            if answer.status == 429:
                assert answer.headers["Retry-After"] == "1" and body["remedy"], body
        await viewer.close()

    before = cpu_seconds(relay.process.pid)
    asyncio.run(run())
    report(
        f"{len(statuses)} restarts asked for in 3 s, {statuses.count(200)} made, "
        f"{cpu_seconds(relay.process.pid) - before:.2f} s of processor time"
    )
    assert set(statuses) == {200, 429}
    # Forty at once and twenty a second.
    assert statuses.count(200) <= 40 + 3 * 20 + 2


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
