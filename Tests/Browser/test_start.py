"""How a viewer's picture begins, and how far behind live and out of step it then is, by the clock in the picture."""

from __future__ import annotations

import pathlib
import statistics

import pytest

from harness import eventually, report
from test_switching import camera_configuration

WATCHING = pathlib.Path(__file__).resolve().parent / "watching.js"


def watch(chromium, url: str, seconds: float) -> dict:
    """What a viewer of the page saw and heard; times in milliseconds since the click."""
    context = chromium.new_context(ignore_https_errors=True, viewport={"width": 800, "height": 600})
    context.add_init_script(path=str(WATCHING))
    page = context.new_page()
    page.goto(url, wait_until="domcontentloaded")
    page.wait_for_timeout(seconds * 1000)
    seen = page.evaluate(
        """async () => {
            const seen = { ...window.watching, peers: undefined };
            seen.firstFrame = window.signalbox.firstFrameMilliseconds;
            seen.delivery = window.signalbox.delivery;
            const reports = [...(await window.watching.peers.at(-1).getStats()).values()];
            for (const kind of ['audio', 'video']) {
                const inbound = reports.find(r => r.type === 'inbound-rtp' && r.kind === kind) || {};
                seen[kind] = {
                    playout: inbound.estimatedPlayoutTimestamp, frames: inbound.framesDecoded,
                    dropped: inbound.framesDropped, freezes: inbound.freezeCount,
                    buffer: 1000 * inbound.jitterBufferDelay / Math.max(1, inbound.jitterBufferEmittedCount),
                };
            }
            return seen;
        }"""
    )
    context.close()
    return seen


@pytest.mark.parametrize("audio", ["aac", "pcmu"])
def test_the_picture_comes_at_once_and_is_live_and_in_step_soon(start, chromium, audio: str) -> None:
    demo = start.demo("--cameras", "1", "--gop", "10", "--audio", audio)
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    # The browser's own start is not the relay's.
    warm = chromium.new_context(ignore_https_errors=True).new_page()
    warm.goto(f"{relay.page}/")
    eventually(lambda: 8.3 < (relay.camera("clock")["keyframeAge"] or 0) < 9.0, 30, "the end of a GOP", every=0.2)

    seen = watch(chromium, f"{relay.page}/clock", 8)
    assert seen["delivery"] == "webrtc"
    pictures = [picture for picture in seen["pictures"] if picture["age"] is not None]
    begun = pictures[0]["at"] - seen["firstFrame"]
    late = [picture for picture in pictures if picture["at"] - begun > 1500]
    beeps = [beep for beep in seen["beeps"] if beep["at"] - begun > 3000]
    behind = {second: round(max(p["age"] for p in pictures if second <= (p["at"] - begun) / 1000 < second + 0.5))
              for second in (0, 0.5, 1, 1.5, 2, 3, 5)
              if any(second <= (p["at"] - begun) / 1000 < second + 0.5 for p in pictures)}
    pictured = statistics.median(picture["age"] for picture in late)
    sounded = statistics.median(beep["age"] for beep in beeps)
    report(
        f"{audio}: first frame {seen['firstFrame']:.0f} ms after the start ({pictures[0]['at']:.0f} ms after the click), "
        f"behind live at most {behind} ms, median {pictured:.0f}; sound {sounded:.0f} ms behind, "
        f"so {sounded - pictured:+.0f} ms after the picture; {len(pictures)} pictures, {len(beeps)} beeps, "
        f"video {seen['video']}, audio {seen['audio']}"
    )
    assert seen["firstFrame"] <= 300
    assert len(late) > 50 and max(picture["age"] for picture in late) <= 500
    assert len(beeps) >= 3 and abs(sounded - pictured) <= 60
