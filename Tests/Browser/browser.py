"""What a page of the relay shows, read from the browser."""

from __future__ import annotations

import time
from typing import Any

from harness import eventually


class Watching:
    """A browser page on a camera."""

    def __init__(self, browser: Any, url: str, script: str | None = None, **options: Any) -> None:
        self.context = browser.new_context(ignore_https_errors=True, **options)
        if script:
            self.context.add_init_script(script)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.navigations = 0
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "framenavigated", lambda frame: self._navigated() if frame == self.page.main_frame else None
        )
        self.page.goto(url, wait_until="domcontentloaded")

    def _navigated(self) -> None:
        self.navigations += 1

    def state(self) -> dict[str, Any]:
        """The page's own account (`window.signalbox`) and what its visible video element does."""
        return self.page.evaluate(
            """() => {
                const videos = [...document.querySelectorAll('video')];
                const shown = videos.filter(v => getComputedStyle(v).opacity > 0.5 && v.videoWidth > 0);
                const video = shown[0] || null;
                const quality = video ? video.getVideoPlaybackQuality() : null;
                const own = window.signalbox || {};
                return {
                    viewer: own.viewer || null,
                    delivery: own.delivery || null,
                    text: document.body.innerText,
                    width: video ? video.videoWidth : 0,
                    height: video ? video.videoHeight : 0,
                    frames: quality ? quality.totalVideoFrames - quality.droppedVideoFrames : 0,
                    isWebRTC: video ? video.srcObject !== null : null,
                };
            }"""
        )

    def picture(self) -> str:
        """A fingerprint of the picture that is shown."""
        return self.page.evaluate(
            """() => {
                const video = [...document.querySelectorAll('video')]
                    .filter(v => getComputedStyle(v).opacity > 0.5 && v.videoWidth > 0)[0];
                if (!video) return '';
                const canvas = document.createElement('canvas');
                canvas.width = 64; canvas.height = 36;
                const context = canvas.getContext('2d', { willReadFrequently: true });
                context.drawImage(video, 0, 0, 64, 36);
                const data = context.getImageData(0, 0, 64, 36).data;
                let text = '';
                for (let i = 0; i < data.length; i += 16) text += String.fromCharCode(65 + (data[i] >> 4));
                return text;
            }"""
        )

    def wait_until_playing(self, delivery: str, within: float = 10) -> dict[str, Any]:
        """Waits until frames rise by the delivery; the picture must be one (not a single colour)."""

        def check() -> Any:
            before = self.state()
            if before["delivery"] != delivery or before["isWebRTC"] != (delivery == "webrtc"):
                return None
            time.sleep(0.3)
            after = self.state()
            return after if after["frames"] > before["frames"] and after["width"] else None

        state = eventually(check, within, f"the page plays {delivery}; it shows {self.state()!r}")
        assert len(set(self.picture())) > 1, "the picture is a single colour"
        return state

    def wait_until_moving(self, within: float = 5) -> None:
        """Waits until the picture changes."""
        first = self.picture()
        eventually(lambda: self.picture() != first, within, "the picture moves")

    def frames(self) -> int:
        return self.state()["frames"]
