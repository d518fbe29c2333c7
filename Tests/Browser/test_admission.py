"""More offers than a relay keeps: whoever floods it is told to wait, and whoever watches notices nothing."""

from __future__ import annotations

import concurrent.futures
import http.client
import ssl
import time
import urllib.parse
from collections import Counter

from browser import Watching
from harness import eventually, report
from test_malicious_input import OFFER
from test_quality import shown_frames
from test_switching import camera_configuration

LIMIT = 256
"""Sessions that have yet to connect, of all loops together."""
PENDING_SECONDS = 10
"""For which each of them keeps its place."""


def offers_from(address: str, url: str) -> list[tuple[int, str | None, str]]:
    """Makes eight offers from an address, on one connection; status, Retry-After and body of each answer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=30, source_address=(address, 0), context=context
    )
    answers = []
    for number in range(8):
        offer = OFFER.replace("x9Qf", f"x{int(address.rsplit('.', 1)[1]):03}{number}")
        connection.request("POST", parts.path, offer, {"Content-Type": "application/sdp"})
        response = connection.getresponse()
        answers.append((response.status, response.headers["Retry-After"], response.read().decode()))
    connection.close()
    return answers


def test_a_flood_of_offers_is_told_to_wait_and_whoever_watches_goes_on(start, chromium) -> None:
    demo = start.demo("--cameras", "1", "--size", "640x360")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock")
    watching = page.wait_until_playing("webrtc", within=20)["viewer"]
    url = f"{relay.page}/clock/whep"

    with concurrent.futures.ThreadPoolExecutor(4) as crowd:
        began = time.monotonic()
        addresses = [f"127.0.0.{last}" for last in range(2, 62)]
        answered = [crowd.submit(offers_from, address, url) for address in addresses]
        rate, gaps, longest, _ = shown_frames(page, 8)
        answers = [answer for done in answered for answer in done.result()]
        took = time.monotonic() - began
    counts = Counter(status for status, _, _ in answers)
    pending = sum(viewer["id"] != watching for viewer in relay.viewers())
    refusals = [answer for answer in answers if answer[0] != 201]
    report(
        f"{len(answers)} offers from {len(addresses)} addresses in {took:.1f} s: {dict(counts)}, {pending} wait to connect, "
        f"{refusals[-1:]}; beside them {rate:.1f} fps, {gaps} gaps over 190 ms, longest {longest:.0f} ms"
    )
    # Those that had their time make room.
    assert pending <= LIMIT and counts[201] <= LIMIT * (1 + took // PENDING_SECONDS), counts
    assert any(status == 429 for status, _, _ in refusals), counts
    for status, retry_after, body in refusals:
        # On a busy machine the relay's timers may be late, too.
        reason = {429: "sessions have yet to connect", 503: "overloaded"}.get(status, "another status")
        assert reason in body and retry_after and 1 <= int(retry_after) <= 15, (status, retry_after, body)
    assert rate >= 24, f"{rate:.1f} fps"
    assert page.state()["delivery"] == "webrtc" and page.navigations == 1

    # The flood has had its time, and whoever means it gets a place.
    eventually(lambda: time.monotonic() - began > took + PENDING_SECONDS, 2 * PENDING_SECONDS, "their time is over")
    other = Watching(chromium, f"{relay.page}/clock")
    other.wait_until_playing("webrtc", within=20)
    assert offers_from("127.0.0.2", url)[0][0] == 201
    assert any(viewer["id"] == watching and viewer["attempts"] == 1 for viewer in relay.viewers())
