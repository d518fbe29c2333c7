"""What a viewer gets when its network is bad: through a link with loss and delay, through one that carries too little,
and beside one that has stopped reading."""

from __future__ import annotations

import time
from typing import Any

from browser import Watching
from harness import eventually, report
from link import UDPLink


def shown_frames(page: Watching, seconds: float) -> tuple[float, int, float]:
    """Frames presented per second over a while, the freezes among them as the browser counts, and the longest gap."""
    return tuple(
        page.page.evaluate(
            """async (seconds) => {
                const video = document.getElementById('webrtc');
                const times = [];
                let isOver = false;
                const next = (now) => { times.push(now); if (!isOver) video.requestVideoFrameCallback(next); };
                video.requestVideoFrameCallback(next);
                const before = performance.now();
                const decoded = video.getVideoPlaybackQuality().totalVideoFrames;
                await new Promise((done) => setTimeout(done, seconds * 1000));
                isOver = true;
                const took = (performance.now() - before) / 1000;
                const gaps = times.slice(1).map((time, index) => time - times[index]);
                const frames = video.getVideoPlaybackQuality().totalVideoFrames - decoded;
                return [frames / took, gaps.filter((gap) => gap > 190).length, Math.max(0, ...gaps)];
            }""",
            seconds,
        )
    )


def through(
    start: Any, open_things: Any, chromium: Any, camera: str = "cam", delivery: str = "auto", **options: Any
) -> Any:
    """A relay with a noisy camera of 1.5 Mbit/s, and a page that reaches it through a link."""
    source = start.gstreamer(pattern="snow", gop=50)
    relay = start.relay({camera: {"source": source.url, "delivery": delivery}})
    relay.wait_for_camera(camera)
    link = UDPLink(relay.listener("media/udp"), **options)
    open_things.callback(link.close)
    page = Watching(chromium, f"{relay.page}/{camera}", script=link.script())
    return relay, link, page


def test_five_percent_loss_and_50_ms_keep_24_of_25_frames(start, open_things, chromium) -> None:
    relay, link, page = through(start, open_things, chromium, delay=0.05, loss=0.05)
    page.wait_until_playing("webrtc", within=15)
    time.sleep(5)
    rate, freezes, longest = shown_frames(page, 20)
    viewer = relay.viewers()[0]
    share = viewer["retransmittedBytes"] / viewer["bytes"]
    report(
        f"5 % loss and 50 ms each way: {rate:.1f} of 25 fps, {freezes} gaps over 190 ms (longest {longest:.0f} ms), "
        f"page counts {viewer['report'].get('freezes')} freezes, {viewer['retransmitted']} packets sent again "
        f"({100 * share:.1f} % of the bytes), round trip {viewer['roundTrip']:.0f} ms, loss {viewer['loss']:.1f} %"
    )
    assert viewer["retransmitted"] > 50
    assert viewer["quality"]["rung"] == "full", viewer["quality"]
    assert rate >= 24, f"{rate:.1f} fps"


def test_one_megabit_carries_a_picture_and_the_console_says_why(start, open_things, chromium) -> None:
    # HLS does not go through the link: without this the page would show that.
    relay, link, page = through(start, open_things, chromium, delivery="webrtc", delay=0.02, rate=1_000_000)
    page.wait_until_playing("webrtc", within=25)
    began = time.monotonic()
    thinned = eventually(
        lambda: next((v for v in relay.viewers() if (v["quality"] or {}).get("rung") == "keyframes"), None),
        20,
        "the viewer gets keyframes only",
    )
    report(f"1 Mbit/s: keyframes only {time.monotonic() - began:.1f} s after the first picture: {thinned['why']}")
    assert "Mbit/s, the stream needs 1." in thinned["why"] or "% of packets lost" in thinned["why"], thinned["why"]
    assert thinned["why"].startswith("keyframes only: ")
    # A picture keeps coming: a keyframe every two seconds.
    frames = [page.frames()]
    for _ in range(4):
        time.sleep(2.5)
        frames.append(page.frames())
    state = page.state()
    report(f"1 Mbit/s: frames at intervals of 2.5 s {frames}, by {state['delivery']}")
    assert all(later > earlier for earlier, later in zip(frames, frames[1:])), frames
    assert state["delivery"] == "webrtc"
    assert "Keyframes only" in state["text"]
    listed = relay.ctl("viewers")
    assert any("keyframes only" in viewer["why"] for viewer in listed), listed
    assert any("keyframes only" in event["text"] for event in relay.ctl("events"))

    link.down.rate = None
    healed = time.monotonic()
    eventually(lambda: relay.viewers()[0]["quality"]["rung"] == "full", 60, "full quality is back")
    report(f"limit lifted: full quality after {time.monotonic() - healed:.1f} s")
    page.wait_until_playing("webrtc")
    rate, _, _ = shown_frames(page, 4)
    assert rate > 20


def test_a_viewer_that_stops_reading_slows_nobody(start, open_things, chromium) -> None:
    relay, link, page = through(start, open_things, chromium)
    page.wait_until_playing("webrtc", within=15)
    healthy = Watching(chromium, f"{relay.page}/cam")
    healthy.wait_until_playing("webrtc", within=15)
    before, _, _ = shown_frames(healthy, 5)
    link.down.isSilent = link.up.isSilent = True
    after, gaps, longest = shown_frames(healthy, 12)
    report(f"beside a dead viewer: {before:.1f} fps before, {after:.1f} fps after, longest gap {longest:.0f} ms")
    assert after >= 24, f"{after:.1f} fps"
    delay = relay.snapshot()["node"].get("loopDelay")
    report(f"loop delay beside a dead viewer: {delay}")
