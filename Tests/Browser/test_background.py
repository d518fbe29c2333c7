"""A page whose tab is in the background: browsers show nothing there, which is nobody's fault."""

from __future__ import annotations

import time

import pytest

from browser import Watching
from harness import ControlFailed, eventually
from test_switching import camera_configuration

# Headless Chromium has no background tabs; this is what a page notices of being one.
VISIBILITY = """(() => {
    let state = "visible";
    Object.defineProperty(Document.prototype, "visibilityState", { get: () => state });
    Object.defineProperty(Document.prototype, "hidden", { get: () => state === "hidden" });
    globalThis.becomes = (next) => {
        state = next;
        document.dispatchEvent(new Event("visibilitychange"));
    };
})();"""


def test_a_tab_in_the_background_is_named_and_not_blamed_and_its_switch_is_refused_at_once(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    console = start.console({"clock": camera_configuration(demo)})
    console.wait_for("clock", 20)
    eventually(lambda: console.camera("clock")["state"] == "live", 20, "the camera is live")
    page = Watching(chromium, f"{console.page}/clock", script=VISIBILITY)
    viewer = page.wait_until_playing("webrtc")["viewer"]

    def row() -> dict:
        return next(entry for entry in console.viewers() if entry["id"] == viewer)

    eventually(lambda: row().get("behindLive") is not None, 8, "the page measures how far behind live it is")
    # The picture stops as browsers stop it; the page is told what browsers tell.
    page.page.evaluate("document.querySelector('#webrtc').pause(); becomes('hidden')")
    eventually(lambda: row()["why"] == "tab in background", 1.5, "the relay is told at once")
    console.press("3")
    console.wait_for("tab in background")
    console.press("s")
    console.wait_for("its tab is in the background", 2)
    with pytest.raises(ControlFailed, match="tab is in the background"):
        console.ctl("switch", viewer, "hls")
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        seen = row()
        assert seen.get("behindLive") is None and (seen.get("score") or {}).get("cause") != "client device", seen
        time.sleep(0.5)

    page.page.evaluate("becomes('visible'); document.querySelector('#webrtc').play()")
    eventually(lambda: row()["why"] != "tab in background", 1.5, "the relay is told at once")
    eventually(lambda: "tab in background" not in console.text(), 3, "the console says so too")
    console.press("s")
    page.wait_until_playing("hls", within=8)
    console.wait_for("plays HLS after", 6)
