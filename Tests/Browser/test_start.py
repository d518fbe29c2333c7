"""How a viewer's picture begins, and how far behind live and out of step it then is, by the clock in the picture."""

from __future__ import annotations

import pathlib
import statistics

import pytest

from browser import Watching
from harness import eventually, report
from test_switching import camera_configuration

WATCHING = pathlib.Path(__file__).resolve().parent / "watching.js"


def watch(chromium, url: str, seconds: float) -> dict:
    """What a viewer of the page saw and heard; times in milliseconds since the click."""
    # The page's policy lets no other script in; the worklet that listens for beeps is one.
    context = chromium.new_context(
        ignore_https_errors=True, bypass_csp=True, viewport={"width": 800, "height": 600}
    )
    context.add_init_script(path=str(WATCHING))
    page = context.new_page()
    page.goto(url, wait_until="domcontentloaded")
    page.wait_for_timeout(seconds * 1000)
    seen = page.evaluate(
        """async () => {
            const seen = { ...window.watching, peers: undefined, asked: performance.now() };
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


@pytest.mark.parametrize("audio", ["aac", "pcmu", "none"])
def test_the_picture_comes_from_the_cache_and_is_live_soon(start, chromium, audio: str) -> None:
    """Without the cache this viewer would wait five seconds and more for the next keyframe.

    From 1.5 s on no picture may be older than half a second. Other work on the machine may delay the start before there is
    any picture: one that took a second is tried again, twice, and at last 0.7 s from the first picture count instead.
    """
    demo = start.demo("--cameras", "1", "--gop", "10", "--size", "640x360", "--audio", audio)
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    # The browser's own start with WebRTC is not the relay's.
    warm = Watching(chromium, f"{relay.page}/clock")
    warm.wait_until_playing("webrtc", within=20)
    warm.context.close()

    for _ in range(3):
        eventually(lambda: 4 < (relay.camera("clock")["keyframeAge"] or 0) < 5, 30, "the middle of a GOP", every=0.2)
        seen = watch(chromium, f"{relay.page}/clock", 12)
        if seen["firstFrame"] and seen["firstFrame"] < 1000:
            break
    assert seen["delivery"] == "webrtc"
    pictures = [picture for picture in seen["pictures"] if picture["age"] is not None]
    assert pictures, "no picture with a clock in it was shown"
    begun = pictures[0]["at"] - seen["firstFrame"]

    def behind(second: float, end: float) -> int | None:
        ages = [picture["age"] for picture in pictures if second <= (picture["at"] - begun) / 1000 < end]
        return round(max(ages)) if ages else None

    def behind_in_the_end() -> str:
        ages = sorted(picture["age"] for picture in pictures if picture["at"] - begun >= 5000)
        return f"median {statistics.median(ages):.0f} ms, p95 {ages[len(ages) * 95 // 100]:.0f} ms" if ages else "-"

    soon = max(1500, seen["firstFrame"] + 700)
    # The last picture stands until it is asked what was seen.
    times = [picture["at"] for picture in seen["pictures"]] + [seen["asked"]]
    gaps = [after - before for before, after in zip(times, times[1:]) if after - begun >= soon]
    skew = (seen["video"]["playout"] or 0) - (seen["audio"]["playout"] or 0)
    report(
        f"{audio}, first picture shown {pictures[0]['age'] / 1000:.1f} s old: first frame {seen['firstFrame']:.0f} ms after "
        f"the page was asked for, behind live at most { {s: behind(s, s + 0.5) for s in (0, 0.5, 1, 1.5, 2, 3, 5, 8)} } ms, "
        f"from 5 s on {behind_in_the_end()}, "
        f"{len(pictures)} of {len(seen['pictures'])} clocks read, longest gap {max(gaps):.0f} ms, "
        f"sound {skew:+.0f} ms after the picture by the browser's account, {len(seen['beeps'])} beeps; "
        f"video {seen['video']}, audio {seen['audio']}"
    )
    # Every picture's age counts from here on; how soon the first one comes is the next test's.
    assert seen["firstFrame"] < 3000
    late = [picture for picture in pictures if picture["at"] - begun >= soon and picture["age"] > 500]
    assert not late, "pictures older than half a second were shown"
    # Pictures without a clock could be of any age, and so could one that stands.
    assert len(pictures) >= 0.9 * len(seen["pictures"]), f"{len(pictures)} of {len(seen['pictures'])} clocks could be read"
    assert max(gaps) <= 500, f"a picture stood for {max(gaps):.0f} ms"
    assert audio == "none" or len(seen["beeps"]) >= 4, "no sound"


# The click and the first picture, on one clock: both pages are of one origin and so share its session storage.
TIMED = """
    addEventListener("click", (event) => sessionStorage.setItem("clicked", performance.timeOrigin + event.timeStamp), true);
    new MutationObserver((_, observer) => {
        const video = document.getElementById("webrtc");
        if (!video) return;
        observer.disconnect();
        video.requestVideoFrameCallback(() => {
            const at = performance.timeOrigin + performance.now() - sessionStorage.getItem("clicked");
            console.log(`first picture ${at}`);
        });
    }).observe(document, { childList: true, subtree: true });
"""


def click(chromium, relay, camera: str) -> float:
    """Milliseconds from the click on a camera, on the page that lists them, to its first picture."""
    context = chromium.new_context(ignore_https_errors=True)
    context.add_init_script(TIMED)
    page = context.new_page()
    page.goto(relay.page)
    link = page.wait_for_selector(f'a[href="/{camera}"]')
    page.wait_for_load_state("networkidle")
    # Nothing is asked of the page until then: to be looked into would keep it from its work.
    with page.expect_console_message(lambda message: message.text.startswith("first picture")) as shown:
        link.click(no_wait_after=True)
    context.close()
    return float(shown.value.text.split()[-1])


def test_the_first_picture_comes_within_300_ms_of_the_click(start, chromium) -> None:
    """In the middle of a GOP of 10 s: documents, scripts and connections included, to the first picture that is shown.

    The median of seven counts. Other work on the machine only ever adds to it, so it may try three times; with
    SIGNALBOX_BINARIES the programs of a release build are measured.
    """
    demo = start.demo("--cameras", "1", "--gop", "10", "--size", "640x360", "--audio", "aac")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")

    def starts(count: int) -> list[float]:
        taken = []
        for _ in range(count):
            eventually(lambda: 2 < (relay.camera("clock")["keyframeAge"] or 0) < 8, 30, "the middle of a GOP", every=0.2)
            taken.append(click(chromium, relay, "clock"))
        return taken

    # The browser's own start with WebRTC is not the relay's.
    starts(1)
    medians = []
    for _ in range(3):
        taken = starts(7)
        medians.append(statistics.median(taken))
        report(
            f"first picture after the click: best {min(taken):.0f} ms, median {medians[-1]:.0f}, worst {max(taken):.0f}"
        )
        if medians[-1] <= 300:
            break
    assert min(medians) <= 300


@pytest.mark.parametrize("audio", ["pcmu", "aac"])
def test_sound_and_picture_come_together(start, chromium, audio: str) -> None:
    """Within 60 ms from 1.5 s on: by beeps that are heard and the clock in the pictures that are shown then, and, as soon
    as the browser has one, by its own account.

    AAC has farther to come: its frames are gathered by the camera and again for Opus. The median of three starts counts;
    a machine that has other things to do may try three times.
    """
    demo = start.demo("--cameras", "1", "--gop", "10", "--size", "640x360", "--audio", audio)
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    # The browser's own start with WebRTC is not the relay's.
    warm = Watching(chromium, f"{relay.page}/clock")
    warm.wait_until_playing("webrtc", within=20)
    warm.context.close()

    def lateness() -> tuple[float, float]:
        """How far apart sound and picture are in one start: as they are heard and seen, and by the browser's account."""
        eventually(lambda: 2 < (relay.camera("clock")["keyframeAge"] or 0) < 8, 30, "the middle of a GOP", every=0.2)
        seen = watch(chromium, f"{relay.page}/clock", 6)
        pictures = [picture for picture in seen["pictures"] if picture["age"] is not None]
        heard = []
        for beep in seen["beeps"]:
            ages = [picture["age"] for picture in pictures if abs(picture["at"] - beep["at"]) < 100]
            if beep["at"] >= 1500 and ages:
                heard.append(round(beep["age"] - statistics.mean(ages)))
        account = [skew["late"] for skew in seen["skews"] if skew["at"] >= 1500]
        report(f"{audio}: sound behind the picture, heard {heard} ms, by the browser's account {account} ms")
        assert len(heard) >= 3 and account, "too little was heard"
        return statistics.median(map(abs, heard)), statistics.median(map(abs, account))

    worst = []
    for _ in range(3):
        starts = [lateness() for _ in range(3)]
        worst.append(max(statistics.median(kind) for kind in zip(*starts, strict=True)))
        if worst[-1] <= 60:
            break
    assert min(worst) <= 60
