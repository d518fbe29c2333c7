"""What a viewer gets when its network is bad: through a link with loss and delay, through one that carries too little,
and beside one that has stopped reading."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from browser import Watching
from harness import eventually, report, throughout
from link import TCPLink, UDPLink


class Shown(NamedTuple):
    """What a page showed over a while."""

    decoded: float
    """Frames for each second of the camera's."""
    gaps: int
    """Those over 190 ms between frames presented."""
    longest: float
    """Milliseconds of the longest gap."""
    presented: float
    """Frames for each second of the camera's that the browser gave to the screen: fewer where it left out some."""


def shown_frames(page: Watching, seconds: float) -> Shown:
    """What a page shows from now on.

    Seconds are counted by the RTP time of the first and last frame presented, so that neither the edges of the window
    nor a busy machine's timers are taken for lost frames.
    """
    return Shown(
        *page.page.evaluate(
            """async (seconds) => {
                const video = document.getElementById('webrtc');
                const seen = [];
                let isOver = false;
                const next = (now, { rtpTimestamp, presentedFrames }) => {
                    const decoded = video.getVideoPlaybackQuality().totalVideoFrames;
                    seen.push({ now, rtpTimestamp, presented: presentedFrames, decoded });
                    if (!isOver) video.requestVideoFrameCallback(next);
                };
                video.requestVideoFrameCallback(next);
                await new Promise((done) => setTimeout(done, seconds * 1000));
                isOver = true;
                const gaps = seen.slice(1).map(({ now }, index) => now - seen[index].now);
                const [first, last] = [seen[0], seen.at(-1)];
                const length = ((last.rtpTimestamp - first.rtpTimestamp) | 0) / 90000;
                const rate = (counter) => (last[counter] - first[counter]) / length;
                return [rate('decoded'), gaps.filter((gap) => gap > 190).length, Math.max(0, ...gaps), rate('presented')];
            }""",
            seconds,
        )
    )


def wait_until_steady(page: Watching, fps: float = 25) -> None:
    """Waits until the page shows pictures at a rate: what was replayed or queued before is through."""
    eventually(
        lambda: abs(shown_frames(page, 1).decoded - fps) <= fps / 5, 15, f"about {fps} pictures a second are shown"
    )


def through(
    start: Any,
    open_things: Any,
    chromium: Any,
    camera: str = "cam",
    delivery: str = "auto",
    video: str = "h264",
    gop: int = 50,
    **options: Any,
) -> Any:
    """A relay with a noisy camera of 1.5 Mbit/s, and a page that reaches it through a link."""
    source = start.gstreamer(pattern="snow", gop=gop, video=video)
    relay = start.relay({camera: {"source": source.url, "delivery": delivery}})
    relay.wait_for_camera(camera)
    link = UDPLink(relay.listener("media/udp"), **options)
    open_things.callback(link.close)
    page = Watching(chromium, f"{relay.page}/{camera}", script=link.script())
    return relay, link, page


def test_five_percent_loss_and_50_ms_keep_24_of_25_frames(start, open_things, chromium) -> None:
    relay, link, page = through(start, open_things, chromium, delay=0.05, loss=0.05)
    page.wait_until_playing("webrtc", within=15)
    wait_until_steady(page)
    eventually(lambda: relay.viewers()[0]["retransmitted"] > 10, 10, "lost packets are sent again")
    rate, freezes, longest, presented = shown_frames(page, 40)
    viewer = relay.viewers()[0]
    seen = viewer["report"]
    share = viewer["retransmittedBytes"] / viewer["bytes"]
    report(
        f"5 % loss and 50 ms each way: {rate:.1f} of 25 fps, {presented:.1f} of them presented, {freezes} gaps over 190 ms "
        f"(longest {longest:.0f} ms), the browser counts {seen['freezes']} freezes, in all {seen['freezeSeconds']:.1f} of "
        f"{viewer['age']:.0f} s, {viewer['retransmitted']} packets sent again ({100 * share:.1f} % of the bytes), "
        f"round trip {viewer['roundTrip']:.0f} ms, loss {viewer['loss']:.1f} %"
    )
    assert viewer["retransmitted"] > 50
    assert viewer["quality"]["rung"] == "full", viewer["quality"]
    assert rate >= 24, f"{rate:.1f} fps"
    assert freezes <= 60 and seen["freezes"] <= 60, (freezes, seen)
    assert seen["freezeSeconds"] <= 0.25 * viewer["age"], seen


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
    console = start.attach(relay, columns=240)
    console.press("3")
    console.wait_for("keyframes only: ")
    assert "Mbit/s, the stream needs 1." in thinned["why"] or "% of packets lost" in thinned["why"], thinned["why"]
    assert thinned["why"].startswith("keyframes only: ")
    # A picture keeps coming: a keyframe every two seconds, and what such a link takes to carry it.
    waits = []
    for _ in range(4):
        shown, asked = page.frames(), time.monotonic()
        eventually(lambda: page.frames() > shown, 3.5, "the next picture is shown")
        waits.append(round(time.monotonic() - asked, 1))
    state = page.state()
    report(f"1 Mbit/s: a next picture after {waits} s, by {state['delivery']}")
    assert state["delivery"] == "webrtc"
    assert "Keyframes only" in state["text"]
    listed = relay.ctl("viewers")
    assert any("keyframes only" in viewer["why"] for viewer in listed), listed
    assert any("keyframes only" in event["text"] for event in relay.ctl("events"))

    link.down.rate = None
    healed = time.monotonic()
    eventually(lambda: relay.viewers()[0]["quality"]["rung"] == "full", 60, "full quality is back")
    report(f"limit lifted: full quality after {time.monotonic() - healed:.1f} s")
    eventually(lambda: "keyframes only: " not in console.text(), 10, "the console says so no more")
    page.wait_until_playing("webrtc")
    rate = shown_frames(page, 4).decoded
    assert rate > 20


def test_a_viewer_that_stops_reading_slows_nobody(start, open_things, chromium) -> None:
    relay, link, page = through(start, open_things, chromium)
    page.wait_until_playing("webrtc", within=15)
    healthy = Watching(chromium, f"{relay.page}/cam")
    healthy.wait_until_playing("webrtc", within=15)
    before = shown_frames(healthy, 5).decoded
    link.down.isSilent = link.up.isSilent = True
    after, gaps, longest, _ = shown_frames(healthy, 12)
    report(f"beside a dead viewer: {before:.1f} fps before, {after:.1f} fps after, longest gap {longest:.0f} ms")
    assert after >= 24, f"{after:.1f} fps"
    delay = relay.snapshot()["node"].get("loopDelay")
    report(f"loop delay beside a dead viewer: {delay}")


def rung(relay: Any) -> str | None:
    """What the only viewer gets."""
    return (relay.viewers()[0]["quality"] or {}).get("rung")


def test_a_way_for_part_of_the_stream_carries_every_second_picture(start, open_things, chromium) -> None:
    """A camera in two temporal layers: what no picture refers to is left out, and comes back."""
    relay, link, page = through(start, open_things, chromium, delivery="webrtc", video="layered", delay=0.02)
    page.wait_until_playing("webrtc", within=15)
    wait_until_steady(page)
    whole = shown_frames(page, 4).decoded
    console = start.attach(relay, columns=240)
    console.press("3")
    console.wait_for(relay.viewers()[0]["id"][:6])
    assert "droppable pictures left out" not in console.text()
    link.down.rate = 1_400_000
    capped = time.monotonic()
    eventually(lambda: rung(relay) == "reduced", 20, "droppable pictures are left out")
    took = time.monotonic() - capped
    console.wait_for("droppable pictures left out: ")
    wait_until_steady(page, fps=12.5)
    viewer = relay.viewers()[0]
    half, _, longest, _ = shown_frames(page, 6)
    report(
        f"{viewer['quality']['needed'] / 1e6:.2f} Mbit/s through 1.4: {whole:.1f} fps before, {half:.1f} fps with every second "
        f"picture left out {took:.1f} s later, longest gap {longest:.0f} ms: {viewer['why']}"
    )
    assert rung(relay) == "reduced"
    assert viewer["why"].startswith("droppable pictures left out: "), viewer["why"]
    assert "Some pictures are left out" in page.state()["text"]
    assert any("droppable pictures left out" in event["text"] for event in relay.ctl("events"))
    assert whole >= 24 and 11.5 <= half <= 13.5, (whole, half)

    link.down.rate = None
    healed = time.monotonic()
    eventually(lambda: rung(relay) == "full", 60, "full quality is back")
    report(f"limit lifted: full quality after {time.monotonic() - healed:.1f} s")
    eventually(lambda: "droppable pictures left out" not in console.text(), 10, "the console says so no more")
    again = shown_frames(page, 4).decoded
    assert again >= 24, again


def test_a_way_too_narrow_for_keyframes_leads_to_hls_and_back(start, open_things, chromium) -> None:
    """Only WebRTC goes through the link; HLS, which can take its time, does not."""
    # With keyframes far apart the page waits long for one before it gives up by itself: the relay is to say why.
    relay, link, page = through(start, open_things, chromium, gop=125, delay=0.02)
    page.wait_until_playing("webrtc", within=15)
    wait_until_steady(page)
    link.down.rate = 40_000
    capped = time.monotonic()
    page.wait_until_playing("hls", within=30)
    took = time.monotonic() - capped
    viewer = relay.ctl("viewers")[0]
    events = [event["text"] for event in relay.ctl("events")]
    report(f"40 kbit/s: HLS {took:.1f} s later: {viewer['why']}; {[text for text in events if 'HLS' in text]}")
    assert viewer["delivery"] == "hls"
    assert any(text.startswith("HLS: ") for text in events), events
    assert "Mbit/s, the stream needs" in viewer["why"] or "% of packets lost" in viewer["why"], viewer["why"]

    # As long as the way is narrow, every try fails behind the picture, and the next is longer in coming.
    link.down.rate = None
    healed = time.monotonic()
    page.wait_until_playing("webrtc", within=60)
    back = time.monotonic() - healed
    report(f"limit lifted: WebRTC {back:.1f} s later; {page.page.evaluate('window.signalbox.transitions')}")
    assert back > 10, "WebRTC came back before its time"
    throughout(lambda: page.state()["delivery"] == "webrtc", 5, "the page stays with WebRTC", every=0.5)
    assert rung(relay) == "full"
    assert page.navigations == 1


def test_a_connection_that_is_not_read_skips_to_a_keyframe_and_slows_nobody(start, open_things, chromium) -> None:
    """ICE over TCP: what its viewer does not take in time is dropped, and the picture goes on with a keyframe."""
    source = start.gstreamer(pattern="snow", gop=50, bitrate=4000)
    relay = start.relay({"cam": {"source": source.url, "delivery": "webrtc"}})
    relay.wait_for_camera("cam")
    link = TCPLink(relay.listener("media/udp"))
    open_things.callback(link.close)
    page = Watching(chromium, f"{relay.page}/cam", script=link.script())
    page.wait_until_playing("webrtc", within=15)
    pair = max(relay.snapshot()["pairs"], key=lambda pair: pair["bytesSent"])
    assert pair["transport"] == "tcp", pair
    healthy = Watching(chromium, f"{relay.page}/cam")
    healthy.wait_until_playing("webrtc", within=15)
    wait_until_steady(page)
    wait_until_steady(healthy)
    slow = page.state()["viewer"]

    def viewer(identity: str) -> dict[str, Any]:
        return next(viewer for viewer in relay.viewers() if viewer["id"] == identity)

    assert viewer(slow)["queueDropped"] == 0
    link.stop_reading()
    stopped = time.monotonic()
    beside, _, longest, _ = shown_frames(healthy, 2)
    dropped = eventually(lambda: viewer(slow)["queueDropped"], 5, "what is not read is dropped")
    took = time.monotonic() - stopped
    link.read()
    read = time.monotonic()
    before = page.frames()
    eventually(lambda: page.frames() > before + 10, 5, "the picture goes on")
    report(
        f"TCP not read for {took:.1f} s: {dropped} packets dropped; read again: picture {time.monotonic() - read:.1f} s "
        f"later; beside it {beside:.1f} fps, longest gap {longest:.0f} ms; {viewer(slow)['why']!r}"
    )
    assert beside >= 24, f"{beside:.1f} fps"
    assert viewer(slow)["attempts"] == 1, "the session did not last"
    other = viewer(healthy.state()["viewer"])
    assert other["queueDropped"] == 0 and other["quality"]["rung"] == "full"
    assert not any("overloaded" in event["text"] for event in relay.ctl("events"))
