"""WebRTC sessions that go wrong, by clients we did not write: what the relay says of them, in words."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from typing import Any

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
