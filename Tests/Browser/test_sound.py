"""Sound that a delivery does not carry as the camera sends it: converted while somebody listens, and only then."""

from __future__ import annotations

import json
import math
import os
import pathlib
import signal
import struct
import subprocess

import pytest

from harness import Relay, eventually, report, throughout
from test_switching import camera_configuration

LISTEN = """async (url) => {
    const connection = new RTCPeerConnection();
    connection.addTransceiver('audio', { direction: 'recvonly' });
    connection.addTransceiver('video', { direction: 'recvonly' });
    const context = new AudioContext();
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    analyser.smoothingTimeConstant = 0;
    connection.ontrack = (event) => {
        const element = document.createElement(event.track.kind);
        element.muted = event.track.kind === 'video';
        element.srcObject = new MediaStream([event.track]);
        element.play().catch(() => {});
        if (event.track.kind === 'audio') context.createMediaStreamSource(element.srcObject).connect(analyser);
    };
    await connection.setLocalDescription(await connection.createOffer());
    const response = await fetch(url, {
        method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: connection.localDescription.sdp,
    });
    await connection.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    window.heard = { level: -Infinity, frequency: 0, loudAt: 0, energy: 0 };
    window.hangUp = () => { clearInterval(timer); connection.close(); };
    const bins = new Float32Array(analyser.frequencyBinCount);
    const timer = setInterval(async () => {
        analyser.getFloatFrequencyData(bins);
        let peak = 4;
        for (let bin = 4; bin < bins.length; bin += 1) if (bins[bin] > bins[peak]) peak = bin;
        if (bins[peak] > -60) window.heard.loudAt = performance.now();
        if (bins[peak] > window.heard.level) {
            window.heard.level = bins[peak];
            window.heard.frequency = peak * context.sampleRate / analyser.fftSize;
        }
        const reports = await connection.getStats();
        for (const report of reports.values()) {
            if (report.type !== 'inbound-rtp' || report.kind !== 'audio') continue;
            window.heard.energy = report.totalAudioEnergy;
            window.heard.codec = reports.get(report.codecId)?.mimeType;
            window.heard.concealed = report.concealedSamples / Math.max(1, report.totalSamplesReceived);
        }
    }, 50);
}"""


def codec_processes(relay: Relay) -> list[int]:
    """The relay's codec processes, by what the system says."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            continue
        if parent == relay.process.pid and b"convert" in arguments:
            found.append(int(entry.name))
    return found


def listen(chromium, relay: Relay, camera: str):
    page = chromium.new_context(ignore_https_errors=True).new_page()
    page.goto(f"{relay.page}/healthz")
    page.evaluate(LISTEN, f"{relay.page}/{camera}/whep")
    return page


def wait_until_loud(page, within: float = 10) -> dict:
    """Waits for a tone that is heard from now on."""
    began = page.evaluate("performance.now()")

    def check() -> dict:
        heard = page.evaluate("window.heard")
        assert heard["loudAt"] > began and heard["energy"] > 0, heard
        return heard

    return eventually(check, within, "a tone is heard")


def test_chromium_hears_the_demo_cameras_aac_by_webrtc(start, chromium) -> None:
    demo = start.demo("--cameras", "1", "--audio", "aac")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    throughout(lambda: not codec_processes(relay), 1, "no codec process without a listener")
    page = listen(chromium, relay, "clock")
    eventually(lambda: relay.camera("clock")["sound"]["frames"] > 100, 10, "sound is converted")
    heard = wait_until_loud(page)
    report(f"AAC camera by WebRTC: {heard}")
    assert heard["codec"] == "audio/opus"
    assert abs(heard["frequency"] - 1000) < 60, "the demo cameras beep at 1 kHz"
    assert heard["concealed"] < 0.1
    assert len(codec_processes(relay)) == 1
    sound = relay.camera("clock")["sound"]
    assert sound["state"] == "running" and sound["frames"] > 100 and sound["failures"] == 0
    page.evaluate("window.hangUp()")
    page.close()
    eventually(lambda: not codec_processes(relay), 50, "the codec process ends with its last listener")
    # A snapshot that nobody has looked at for a while is up to a second old.
    eventually(lambda: relay.camera("clock")["sound"]["state"] == "idle", 5, "the relay says so")


def test_chromium_hears_gstreamers_aac_by_webrtc(start, chromium) -> None:
    camera = start.gstreamer(audio="aac")
    relay = start.relay({"yard": {"source": camera.url}})
    relay.wait_for_camera("yard")
    page = listen(chromium, relay, "yard")
    heard = wait_until_loud(page)
    report(f"GStreamer's AAC by WebRTC: {heard}")
    assert heard["codec"] == "audio/opus"
    assert abs(heard["frequency"] - 440) < 60, "its ticks have 440 Hz"


def test_killing_the_codec_process_costs_a_moment_of_sound(start, chromium) -> None:
    demo = start.demo("--cameras", "1", "--audio", "aac")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    page = listen(chromium, relay, "clock")
    wait_until_loud(page)
    viewers = [viewer["id"] for viewer in relay.viewers()]
    (first,) = codec_processes(relay)
    os.kill(first, signal.SIGKILL)
    seen = eventually(
        lambda: (lambda sound: sound if sound["failures"] == 1 else None)(relay.camera("clock")["sound"]), 5, "noticed"
    )
    assert "signal 9" in seen["lastFailure"]
    (second,) = eventually(lambda: codec_processes(relay), 8, "another one is started")
    assert second != first
    # What was heard just before is concealed for a moment: a second of new sound ends that.
    before = relay.camera("clock")["sound"]["frames"]
    eventually(lambda: relay.camera("clock")["sound"]["frames"] >= before + 50, 8, "sound is converted again")
    wait_until_loud(page, within=8)
    assert [viewer["id"] for viewer in relay.viewers()] == viewers
    camera = relay.camera("clock")
    assert camera["state"] == "live" and camera["reconnects"] == 0 and not camera["notes"]
    assert relay.process.poll() is None


def test_the_codec_process_dies_with_the_relay(start, chromium) -> None:
    demo = start.demo("--cameras", "1", "--audio", "aac")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    page = listen(chromium, relay, "clock")
    wait_until_loud(page)
    (codec,) = codec_processes(relay)
    status = dict(
        line.split(":", 1) for line in pathlib.Path(f"/proc/{codec}/status").read_text().splitlines() if ":" in line
    )
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    relay.process.kill()
    eventually(lambda: not pathlib.Path(f"/proc/{codec}").exists() or is_zombie(codec), 5, "it ends with the relay")


def is_zombie(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def power(samples: list[float], rate: int, frequency: float) -> float:
    """Power of one frequency (Goertzel)."""
    factor = 2 * math.cos(2 * math.pi * frequency / rate)
    before, last = 0.0, 0.0
    for sample in samples:
        before, last = last, sample + factor * last - before
    return (before * before + last * last - factor * before * last) / max(1, len(samples))


@pytest.mark.parametrize("kind, frequency", [("demo", 1000), ("pcma", 440)])
def test_g711_is_heard_by_hls(start, kind: str, frequency: int) -> None:
    if kind == "demo":
        demo = start.demo("--cameras", "1", "--audio", "pcmu")
        relay = start.relay({"yard": camera_configuration(demo)})
    else:
        relay = start.relay({"yard": {"source": start.gstreamer(audio=kind).url}})
    relay.wait_for_camera("yard")
    assert not codec_processes(relay)
    url = f"{relay.page}/yard/index.m3u8"
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-tls_verify", "0", "-show_entries", "stream=codec_name,sample_rate", "-of", "json", url],
        capture_output=True, text=True, timeout=60,
    )
    streams = {stream["codec_name"]: stream for stream in json.loads(probe.stdout)["streams"]}
    assert streams["aac"]["sample_rate"] == "48000" and "h264" in streams
    assert len(codec_processes(relay)) == 1
    decoded = subprocess.run(
        ["ffmpeg", "-v", "error", "-tls_verify", "0", "-i", url, "-t", "6", "-map", "0:a", "-ac", "1", "-ar", "16000",
         "-f", "s16le", "-"],
        capture_output=True, timeout=60,
    )
    samples = [value / 32768 for (value,) in struct.iter_unpack("<h", decoded.stdout[: len(decoded.stdout) // 2 * 2])]
    assert len(samples) > 4 * 16000, decoded.stderr
    # The loudest tenth of a second of the last half is the tone, and nothing else.
    windows = [samples[start : start + 1600] for start in range(len(samples) // 2, len(samples) - 1600, 800)]
    loudest = max(windows, key=lambda window: sum(value * value for value in window))
    wanted = power(loudest, 16000, frequency)
    others = [power(loudest, 16000, other) for other in (250, 700, 1500, 2500, 3300) if abs(other - frequency) > 150]
    report(f"{kind} by HLS: tone {wanted:.4f}, elsewhere at most {max(others):.6f}")
    assert wanted > 0.01 and wanted > 20 * max(others)
    assert relay.camera("yard")["sound"]["failures"] == 0
    assert not [line for line in decoded.stderr.decode().splitlines() if "error" in line.lower()], decoded.stderr
