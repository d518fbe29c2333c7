"""WebRTC sessions that go wrong, by clients we did not write: what the relay says of them, in words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import urllib.request
from typing import Any

from browser import Watching
from harness import Relay, eventually, report
from test_clients import insecure
from test_switching import camera_configuration


def post(url: str, sdp: str) -> Any:
    request = urllib.request.Request(url, sdp.encode(), {"Content-Type": "application/sdp"}, method="POST")
    response = urllib.request.urlopen(request, context=insecure())
    assert response.status == 201
    return response


def ended(relay: Relay, within: float) -> dict[str, Any]:
    return eventually(lambda: relay.ctl("pairs", "--ended"), within, "a session has ended")[0]


async def aiortc_offer() -> tuple[Any, str]:
    from aiortc import RTCConfiguration, RTCPeerConnection

    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    return connection, connection.localDescription.sdp


def test_a_bare_client_that_never_checks(start) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")

    async def offer_only() -> str:
        connection, sdp = await aiortc_offer()
        response = await asyncio.to_thread(post, f"{relay.page}/clock/whep", sdp)
        # The answer is thrown away: nothing will ever be checked.
        await connection.close()
        return response.headers["Location"]

    location = asyncio.run(offer_only())
    viewer = eventually(
        lambda: next((entry for entry in relay.viewers() if entry.get("verdict")), None), 10, "a verdict is shown"
    )
    assert viewer["why"] == "offer answered, the client never checked"
    assert viewer["score"]["value"] == 0
    request = urllib.request.Request(f"{relay.page}{location}", method="DELETE")
    assert urllib.request.urlopen(request, context=insecure()).status == 200
    attempt = ended(relay, 5)
    report(f"never checked: {attempt['verdict']}")
    assert attempt["verdict"]["rule"] == "never-checked"
    assert attempt["control"] == "whep" and attempt["duration"] >= 4
    assert attempt["pairs"] and all(pair["checksReceived"] == 0 for pair in attempt["pairs"])
    console = start.attach(relay)
    console.press("4")
    console.press("e")
    console.wait_for("offer answered, the client never checked")


def test_a_killed_browser_is_told_of_at_once(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock")
    viewer = page.wait_until_playing("webrtc")["viewer"]
    eventually(lambda: relay.viewers()[0].get("score"), 10, "it is known how it fares")

    # A short id will do, and a switch to what it plays does nothing but say so.
    result = relay.ctl("switch", viewer[:9], "webrtc", "--wait")
    assert result["outcome"] == "succeeded" and result["result"].startswith("already plays WebRTC"), result

    processes = chromium.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["id"], signal.SIGKILL)

    def lost() -> Any:
        (seen,) = relay.viewers()
        return seen if seen.get("controlLost") is not None else None

    seen = eventually(lost, 2, "the lost control connection is told")
    assert seen["why"].startswith("control connection lost, waiting for it to come back")
    assert seen.get("score") is None, "nobody says how it fares"
    event = eventually(
        lambda: next((e for e in relay.ctl("events") if "control connection lost" in e["text"]), None), 6, "an event"
    )
    assert event["viewer"] == viewer and event.get("endedAt") is None
    eventually(lambda: not relay.viewers(), 45, "it is let go")
    assert relay.ctl("pairs", "--viewer", "v9nosuch", check=False)["outcome"] == "refused"


def test_aiortc_with_a_wrong_fingerprint(start) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")

    async def connect() -> None:
        from aiortc import RTCSessionDescription

        connection, sdp = await aiortc_offer()
        forged = re.sub(r"(a=fingerprint:\S+ )(..)", lambda match: match[1] + ("00" if match[2] != "00" else "01"), sdp)
        assert forged != sdp
        response = await asyncio.to_thread(post, f"{relay.page}/clock/whep", forged)
        await connection.setRemoteDescription(RTCSessionDescription(response.read().decode(), "answer"))
        for _ in range(100):
            if await asyncio.to_thread(relay.ctl, "pairs", "--ended"):
                break
            await asyncio.sleep(0.1)
        await connection.close()

    asyncio.run(connect())
    attempt = ended(relay, 5)
    report(f"wrong fingerprint: {attempt['verdict']}")
    assert attempt["verdict"]["rule"] == "wrong-fingerprint" and attempt["verdict"]["severity"] == 4
    assert [step["name"] for step in attempt["ladder"]][:5] == [
        "offer", "answer", "first check", "nominated", "DTLS begun",
    ]
    assert any(pair["checksReceived"] > 0 and pair["isSelected"] for pair in attempt["pairs"])
    assert attempt["bytes"] < 20_000, "no media was sent"
