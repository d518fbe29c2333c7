"""Prints the offer that an installed browser makes for a recvonly picture and sound.

    capture_offers.py chromium|firefox

The fixtures of Tests/WebRTCTests (`BrowserOffers`) come from here.
"""

from __future__ import annotations

import sys

OFFER = """async () => {
    const peer = new RTCPeerConnection();
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    await peer.setLocalDescription(await peer.createOffer());
    const gathered = new Promise(done => {
        peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && done();
    });
    await Promise.race([gathered, new Promise(done => setTimeout(done, 3000))]);
    return peer.localDescription.sdp;
}"""


def main() -> None:
    if sys.argv[1:] == ["firefox"]:
        from firefox import Firefox

        browser = Firefox()
        try:
            browser.goto("about:blank")
            sys.stdout.write(browser.evaluate(OFFER))
        finally:
            browser.close()
    elif sys.argv[1:] == ["chromium"]:
        from conftest import CHROMIUM
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            sys.stdout.write(browser.new_page().evaluate(OFFER))
            browser.close()
    else:
        sys.exit("usage: capture_offers.py chromium|firefox")


if __name__ == "__main__":
    main()
