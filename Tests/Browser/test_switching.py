"""The mission's sentence: an operator moves a viewer between WebRTC and HLS while it is watching."""

from __future__ import annotations

import time

from browser import Watching
from harness import eventually, report


def camera_configuration(demo, name: str = "demo/clock"):
    camera = demo.cameras[name]
    return {"source": camera["url"], "user": camera["user"], "password": camera["password"]}


def test_s_moves_a_watching_viewer_to_hls_and_back(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    console = start.console({"clock": camera_configuration(demo)})
    console.wait_for("clock", 20)
    eventually(lambda: console.camera("clock")["state"] == "live", 20, "the camera is live")

    began = time.monotonic()
    page = Watching(chromium, f"{console.page}/clock")
    state = page.wait_until_playing("webrtc")
    report(f"page open to WebRTC frames rising: {time.monotonic() - began:.1f} s")
    assert (state["width"], state["height"]) == (1280, 720)
    page.wait_until_moving()
    viewer = state["viewer"]
    navigations = page.navigations

    console.press("3")
    console.wait_for(viewer[:6])
    console.wait_for("playing")
    console.press("4")
    console.wait_for("succeeded")
    console.press("3")

    for delivery, shown in (("hls", "HLS"), ("webrtc", "WebRTC")):
        asked = time.monotonic()
        console.press("s")
        # A confirmation names who is affected; Enter alone must not be enough to confirm anything destructive,
        # but a switch of one viewer is not destructive and goes ahead at once.
        page.wait_until_playing(delivery, within=8)
        took = time.monotonic() - asked
        report(f"s pressed to {shown} frames rising: {took:.1f} s")
        assert took < 3.5, f"{shown} took {took:.1f} s"
        console.wait_for(f"plays {shown} after", 6)
        assert page.state()["viewer"] == viewer
        assert page.navigations == navigations, "the page was reloaded"
        assert any(v["id"] == viewer and v["delivery"] == delivery for v in console.viewers())
        if delivery == "hls":
            console.press("5")
            console.wait_for("clock")
            assert console.snapshot()["hls"][0]["viewers"] == 1
            console.press("3")
            time.sleep(0.5)
    assert not page.problems, page.problems


CONNECTION_TIMES = """(() => {
    globalThis.opened = [];
    globalThis.endings = [];
    globalThis.WebSocket = class extends WebSocket {
        constructor(...parts) {
            super(...parts);
            opened.push(performance.now());
            this.addEventListener("close", () => endings.push(performance.now()));
        }
    };
})();"""


def test_a_page_comes_back_when_the_relay_told_it_to_and_not_before(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock", script=CONNECTION_TIMES)
    page.wait_until_playing("webrtc")
    relay.process.terminate()
    eventually(lambda: page.page.evaluate("opened.length") > 1, 10, "the page looks for the relay again")
    closed, again = page.page.evaluate("[endings[0], opened[1]]")
    # "The relay is shutting down", and to be tried again after two seconds.
    assert 1_900 < again - closed < 4_000, (closed, again)


# Opens so many WHEP sessions in a page; `framesOfCrowd` tells how many pictures each has decoded.
CROWD = """async ([url, count]) => {
    const connections = [];
    for (let i = 0; i < count; i++) {
        const connection = new RTCPeerConnection();
        connection.addTransceiver('video', { direction: 'recvonly' });
        await connection.setLocalDescription(await connection.createOffer());
        const answer = await fetch(url, {
            method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: connection.localDescription.sdp,
        });
        if (answer.status !== 201) throw new Error(await answer.text());
        await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
        connections.push(connection);
    }
    window.framesOfCrowd = () => Promise.all(connections.map(async connection => {
        for (const entry of (await connection.getStats()).values())
            if (entry.type === 'inbound-rtp') return entry.framesDecoded || 0;
        return 0;
    }));
}"""


def test_viewers_of_one_camera_are_spread_over_loops(start, chromium) -> None:
    camera = start.gstreamer(size="320x180", gop=25)
    relay = start.relay({"yard": {"source": camera.url}, "zoo": {"source": camera.url}})
    relay.wait_for_camera("yard")
    crowd = Watching(chromium, f"{relay.page}/")
    crowd.page.evaluate(CROWD, [f"{relay.page}/yard/whep", 17])
    page = Watching(chromium, f"{relay.page}/yard")
    viewer = page.wait_until_playing("webrtc")["viewer"]
    loops = {v["id"][:3] for v in relay.viewers()}
    assert len(loops) == 2, f"all are on one loop: {loops}"
    assert relay.camera("yard")["webrtcViewers"] == 18

    before = crowd.page.evaluate("framesOfCrowd()")
    # The page's viewer is on the other loop than its camera, whose HLS stream it fetches.
    for delivery in ("hls", "webrtc"):
        relay.ctl("switch", viewer, delivery, "--wait")
        page.wait_until_playing(delivery, within=8)
        assert page.state()["viewer"] == viewer
    relay.ctl("restart", "yard", "--wait")
    page.wait_until_moving()
    after = crowd.page.evaluate("framesOfCrowd()")
    report(f"pictures decoded by 17 viewers on two loops: {before} and later {after}")
    assert all(late > early > 0 for early, late in zip(before, after))
    assert not page.problems, page.problems


def test_restart_and_kill_keep_the_viewers(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock")
    viewer = page.wait_until_playing("webrtc")["viewer"]

    answer = relay.ctl("restart", "clock", "--wait")
    report(f"restart: {answer}")
    page.wait_until_playing("webrtc", within=6)
    assert page.state()["viewer"] == viewer

    relay.ctl("kill", "clock", "--wait")
    eventually(lambda: "stopped" in page.state()["text"].lower(), 5, "the page says that the camera is stopped")
    assert [v["id"] for v in relay.viewers()] == [viewer], "the viewer stays"
    relay.ctl("start", "clock", "--wait")
    page.wait_until_playing("webrtc", within=8)
    assert page.state()["viewer"] == viewer


def test_hls_viewer_survives_kill_and_start(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)}, delivery="hls")
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock")
    viewer = page.wait_until_playing("hls")["viewer"]
    relay.ctl("kill", "clock", "--wait")
    time.sleep(3)
    assert [v["id"] for v in relay.viewers()] == [viewer], "the viewer stays"
    relay.ctl("start", "clock", "--wait")
    page.wait_until_playing("hls", within=12)
    assert page.state()["viewer"] == viewer
    assert relay.snapshot()["hls"][0]["discontinuities"] >= 1


def test_bare_hls_player_can_be_dropped_but_not_switched(start) -> None:
    import subprocess

    import harness

    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    player = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-tls_verify", "0", "-i", f"{relay.page}/clock/index.m3u8", "-t", "30", "-f", "null", "-"],
        stdin=subprocess.DEVNULL,
    )
    try:
        viewer = eventually(lambda: next(iter(relay.viewers()), None), 10, "the player shows as a viewer")
        assert viewer["control"] == "hls" and viewer["delivery"] == "hls"
        eventually(lambda: relay.viewers()[0]["bytes"] > 100_000, 15, "its bytes are counted")
        behind = relay.viewers()[0]["behindLive"]
        assert 0 < behind < 30, behind
        try:
            relay.ctl("switch", viewer["id"], "webrtc")
            raise AssertionError("the switch was not refused")
        except harness.ControlFailed as refused:
            assert "3" in str(refused) and "no channel" in str(refused)
    finally:
        player.kill()
        player.wait()


def test_a_viewer_resumes_when_its_camera_stalls_dies_and_returns(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock")
    viewer = page.wait_until_playing("webrtc")["viewer"]

    demo.say("stall demo/clock")
    relay.wait_for_camera("clock", "stalled", within=6)
    eventually(lambda: relay.viewers()[0]["state"] == "waiting", 4, "the console says that the viewer waits")
    demo.say("resume demo/clock")
    page.wait_until_playing("webrtc", within=8)

    demo.say("stop demo/clock")
    relay.wait_for_camera("clock", "retrying", within=8)
    demo.say("start demo/clock")
    relay.wait_for_camera("clock", within=20)
    page.wait_until_playing("webrtc", within=8)
    assert page.state()["viewer"] == viewer
    assert page.navigations == 1
