"""WebRTC sessions that go wrong, by clients we did not write: what the relay says of them, in words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import urllib.request
from typing import Any

import hostile
from browser import Watching
from harness import Relay, eventually, report
from test_clients import insecure
from test_malicious_input import OFFER
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


def test_reordered_pictures_come_by_hls_without_help_and_everybody_is_told_why(start, chromium) -> None:
    demo = start.demo("--cameras", "1", "--bframes", "2")
    relay = start.relay({"clock": camera_configuration(demo)})
    reason = "ictures are reordered (B-frames)"
    eventually(lambda: any(reason in note for note in relay.camera("clock")["notes"]), 20, "the relay knows the camera")

    page = Watching(chromium, f"{relay.page}/clock")
    state = page.wait_until_playing("hls", within=30)
    report(f"B-frames: {page.page.evaluate('window.signalbox.firstFrameMilliseconds'):.0f} ms to the first picture by HLS")
    page.wait_until_moving()
    assert f"P{reason}: WebRTC is not possible, viewers get HLS." in state["text"], state["text"]
    assert page.navigations == 1 and not page.problems, page.problems

    def told() -> Any:
        (viewer,) = relay.viewers()
        return viewer if viewer.get("verdict") else None

    viewer = eventually(told, 5, "the viewer's verdict is shown")
    assert viewer["id"] == state["viewer"] and viewer["delivery"] == "hls" and viewer["requested"] == "auto", viewer
    assert viewer["verdict"]["rule"] == "refused" and viewer["verdict"]["cause"] == "camera", viewer["verdict"]
    assert viewer["verdict"]["text"].endswith(reason) and "Switch B-frames off" in viewer["verdict"]["remedy"]
    assert viewer["why"].endswith(reason), viewer["why"]
    assert any(reason in event["text"] for event in relay.ctl("events") if event.get("viewer") == viewer["id"])
    console = start.attach(relay, columns=240)
    console.press("3")
    console.wait_for(reason)

    status, _, body = hostile.post(f"{relay.page}/clock/whep", OFFER)
    said = json.loads(body)
    assert status == 406 and reason in json.dumps(said) and "use HLS" in json.dumps(said), (status, said)
    attempts = [attempt for attempt in relay.ctl("pairs", "--ended") if attempt["control"] == "whep"]
    assert [attempt["verdict"]["text"] for attempt in attempts] == [f"offer refused: the camera's p{reason}"], attempts
    # It was the only one of its kind: the page has gone on.
    assert [entry["id"] for entry in relay.viewers()] == [viewer["id"]]
    page.wait_until_moving()
    assert page.state()["delivery"] == "hls"
