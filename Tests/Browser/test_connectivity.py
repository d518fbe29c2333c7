"""Networks that leave one way through: TURN over UDP, TCP and TLS, ICE over TCP, and a NAT that changes its mind."""

from __future__ import annotations

import base64
import hashlib
import os
import pathlib
import re
import shutil
import ssl
import stat
import subprocess
import time
import urllib.request
from typing import Any

import pytest

from browser import Watching
from conftest import CHROMIUM
from test_clients import insecure
from harness import eventually, report
from test_firewall import client_network
from test_switching import camera_configuration


def only(servers: str, policy: str = "all") -> str:
    """A script that leaves a page the ICE servers whose URL matches, and says which candidates it may use."""
    return f"""(() => {{
        const Native = globalThis.RTCPeerConnection;
        const restricted = (configuration) => {{
            const iceServers = (configuration.iceServers ?? [])
                .map((server) => ({{ ...server, urls: server.urls.filter((url) => /{servers}/.test(url)) }}))
                .filter((server) => server.urls.length > 0);
            return {{ ...configuration, iceServers, iceTransportPolicy: "{policy}" }};
        }};
        globalThis.RTCPeerConnection = class extends Native {{
            constructor(configuration) {{ super(restricted(configuration)); }}
            setConfiguration(configuration) {{ super.setConfiguration(restricted(configuration)); }}
        }};
    }})();"""


def selected(relay: Any) -> dict[str, Any]:
    """The pair that carries the video."""
    return max(relay.snapshot()["pairs"], key=lambda pair: pair["bytesSent"])


def assert_carried_by(relay: Any, transport: str) -> None:
    pair = selected(relay)
    assert pair["transport"] == transport and pair["state"] == "succeeded", relay.snapshot()["pairs"]
    before = pair["bytesSent"]
    eventually(lambda: selected(relay)["bytesSent"] > before + 100_000, 5, "video flows on that pair")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_browser_that_may_only_use_relays_plays_over_turn(start, chromium, transport: str) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)}, turn=True)
    relay.wait_for_camera("clock")
    began = time.monotonic()
    page = Watching(chromium, f"{relay.page}/clock", script=only(f"^turn:.*transport={transport}$", "relay"))
    page.wait_until_playing("webrtc", within=15)
    report(f"relay-only, TURN/{transport.upper()}: WebRTC frames after {time.monotonic() - began:.1f} s")
    page.wait_until_moving()
    assert_carried_by(relay, f"turn/{transport}")
    assert selected(relay)["remote"].startswith("relay 198.19."), selected(relay)
    assert not page.problems, page.problems


WHEP_OVER_TURN = """async password => {
    // As WHEP players do: servers and credentials come with OPTIONS, before there is a session.
    const options = await fetch("/clock/whep", { method: "OPTIONS" });
    const [, urls, username, credential] = options.headers.get("Link")
        .match(/<(turn:[^>]*transport=udp)>; rel="ice-server"; username="([^"]*)"; credential="([^"]*)"/);
    const iceServers = [{ urls, username, credential: password || credential }];
    const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
    globalThis.connection = connection;
    connection.addTransceiver("video", { direction: "recvonly" });
    await connection.setLocalDescription();
    while (connection.iceGatheringState !== "complete") await new Promise(done => setTimeout(done, 50));
    const headers = { "Content-Type": "application/sdp" };
    const answer = await fetch("/clock/whep", { method: "POST", headers, body: connection.localDescription.sdp });
    await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    return answer.headers.get("Location").split("/").at(-1);
}"""


def watch_over_turn(start: Any, chromium: Any, password: str = "") -> tuple[Any, str]:
    """A relay, and the id of the viewer of a player that can reach it by TURN only, with its own password if any."""
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)}, turn=True)
    relay.wait_for_camera("clock")
    page = chromium.new_context(ignore_https_errors=True).new_page()
    page.goto(f"{relay.page}/", wait_until="domcontentloaded")
    return relay, page.evaluate(WHEP_OVER_TURN, password)


def test_an_allocation_from_before_the_session_is_known_to_be_the_viewers(start, chromium) -> None:
    relay, viewer = watch_over_turn(start, chromium)
    eventually(lambda: any(pair["isSelected"] for pair in relay.snapshot()["pairs"]), 10, "it is connected")
    assert_carried_by(relay, "turn/udp")
    assert selected(relay)["viewer"] == viewer
    used = [entry for entry in relay.ctl("turn")["allocations"] if entry["toClient"]["bytes"] > 0]
    assert [entry["viewer"] for entry in used] == [viewer], used


def test_wrong_turn_credentials_are_named(start, chromium) -> None:
    relay, viewer = watch_over_turn(start, chromium, password="wrong")

    def verdict() -> Any:
        return next((entry["verdict"] for entry in relay.viewers() if entry["id"] == viewer and entry.get("verdict")), None)

    seen = eventually(verdict, 10, "a verdict is shown")
    assert seen["rule"] == "turn-credentials-wrong" and seen["text"] == "TURN credentials wrong: wrong password", seen


def test_another_client_gets_turn_over_tls_on_the_https_port(start) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    call = urllib.request.Request(f"{relay.page}/clock/whep", method="OPTIONS")
    links = urllib.request.urlopen(call, context=insecure()).headers.get_all("Link")
    link = next(link for link in links if link.startswith("<turns:"))
    login = dict(re.findall(r'(username|credential)="([^"]*)"', link))
    arguments = [
        "-v", "-c", "-s", "-n", "1", "-t", "-S", "-p", relay.listener("https").rsplit(":", 1)[1], "-e", "127.0.0.1",
        "-r", relay.listener("media/udp").rsplit(":", 1)[1], "-u", login["username"], "-w", login["credential"],
    ]
    # It also wants a channel to the port above, which is not ours, and gives up when that is forbidden.
    done = subprocess.run(
        ["timeout", "20", "turnutils_uclient", *arguments, "127.0.0.1"], capture_output=True, text=True, timeout=30
    )
    said = done.stdout + done.stderr
    # The third quarter of the relayed addresses is that of clients that come by TLS.
    address = re.search(r"Received relay addr: 198\.19\.(\d+)\.", said)
    assert address and 128 <= int(address[1]) < 192, said
    assert "refresh response received" in said, said
    turn = relay.snapshot()["turn"]
    assert turn["allocated"] >= 1, turn
    assert all(turn["refused"][reason] == 0 for reason in ["unauthorized", "expired", "overQuota"]), turn


class Clock:
    """A wall clock that a program follows and the test sets; time goes on as ever."""

    def __init__(self, directory: pathlib.Path) -> None:
        library = directory / "shifted_clock.so"
        compiler = shutil.which("clang") or shutil.which("cc")
        assert compiler, "Swift comes with clang"
        source = pathlib.Path(__file__).with_name("shifted_clock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        self.file = directory / "clock"
        self.jump(0)
        self.wrap = ["env", f"LD_PRELOAD={library}", f"SHIFTED_CLOCK={self.file}"]

    def jump(self, seconds: int) -> None:
        self.file.write_text(str(seconds))


def test_credentials_that_ran_out_are_told_from_a_blocked_network(start, chromium, tmp_path: pathlib.Path) -> None:
    clock = Clock(tmp_path)
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)}, wrap=clock.wrap, turn=True)
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock", script=only("^turn:.*transport=udp$", "relay"))
    page.wait_until_playing("webrtc", within=15)
    page.wait_until_moving()
    viewer = relay.viewers()[0]["id"]

    turn = relay.snapshot()["turn"]
    mine = [entry for entry in turn["allocations"] if entry.get("viewer") == viewer]
    assert mine and all(entry["transport"] == "turn/udp" for entry in mine), turn
    used = max(mine, key=lambda entry: entry["toClient"]["bytes"])
    assert used["id"] in selected(relay)["remote"]
    assert used["toClient"]["bytes"] > 100_000 and used["toClient"]["packets"] > 100
    assert used["fromClient"]["packets"] > 0 and used["permissions"] > 0 and 500 < used["remaining"] <= 600
    assert turn["allocated"] >= 1 and turn["refused"]["expired"] == 0 and turn["toClients"]["dropped"] == 0
    console = start.attach(relay)
    console.press("4")
    console.wait_for("refused  nobody")

    # The page keeps the credentials of before, and does not know what the relay's clock says.
    relay.ctl("switch", viewer, "hls", "--wait")
    eventually(lambda: not relay.snapshot()["pairs"], 40, "the page has let its peer go")
    clock.jump(25 * 3_600)
    relay.ctl("switch", viewer, "webrtc")
    eventually(
        lambda: (relay.viewers()[0].get("verdict") or {}).get("rule") == "turn-credentials-expired",
        20,
        "the living session's verdict is shown",
    )
    attempt = eventually(
        lambda: next(
            (
                entry
                for entry in relay.ctl("pairs", "--ended")
                if entry["verdict"]["rule"] == "turn-credentials-expired"
            ),
            None,
        ),
        40,
        "the attempt is remembered",
    )
    report(f"expired credentials: {attempt['verdict']}")
    assert attempt["verdict"]["text"] == "TURN credentials expired" and attempt["verdict"]["cause"] == "TURN"
    assert any("its credentials had run out" in line for line in attempt["verdict"]["evidence"])
    assert relay.snapshot()["turn"]["refused"]["expired"] > 0
    console.wait_for(" expired")


def test_with_every_way_open_a_browser_takes_plain_udp(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    page = Watching(chromium, f"{relay.page}/clock")
    page.wait_until_playing("webrtc", within=10)
    page.wait_until_moving()
    assert_carried_by(relay, "udp")
    assert not page.problems, page.problems


class Strict:
    """A relay, and a Chromium in a network namespace whose way out is under the test's control."""

    def __init__(
        self,
        start: Any,
        open_things: Any,
        directory: pathlib.Path,
        rules: str | None,
        address: str = "198.18.7.1",
    ) -> None:
        if os.geteuid() != 0 or not CHROMIUM:
            reason = "needs root for a network namespace, and chromium"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        from playwright.sync_api import sync_playwright

        demo = start.demo("--cameras", "1")
        self.namespace = open_things.enter_context(client_network(has_ipv6=":" in address))
        self.address = address
        self.host = f"[{address}]" if ":" in address else address
        self.relay = start.relay(
            {"clock": camera_configuration(demo)}, auth="open", host=self.host, advertise=[address]
        )
        self.relay.wait_for_camera("clock")
        self.https = int(self.relay.listener("https").rsplit(":", 1)[1])
        self.media = int(self.relay.listener("media/udp").rsplit(":", 1)[1])
        self.nft(
            f"""
                table inet firewall {{
                    chain out {{
                        type filter hook output priority 0; policy drop;
                        oifname lo accept
                        tcp dport {self.https} accept
                        {rules.format(media=self.media)}
                    }}
                }}
            """
            if rules is not None
            else "add table inet firewall"
        )
        launcher = directory / "chromium-in-namespace"
        launcher.write_text(f'#!/bin/sh\nexec ip netns exec {self.namespace} {CHROMIUM} "$@"\n')
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
        playwright = open_things.enter_context(sync_playwright())
        # A page's exception for a self-signed certificate does not count for TURN; in production it is a real one.
        self.browser = playwright.chromium.launch(
            executable_path=str(launcher),
            args=[
                "--no-sandbox",
                "--autoplay-policy=no-user-gesture-required",
                f"--ignore-certificate-errors-spki-list={self.key_hash()}",
            ],
        )
        open_things.callback(self.browser.close)

    def nft(self, rules: str) -> None:
        subprocess.run(
            ["ip", "netns", "exec", self.namespace, "nft", "-f", "-"],
            input=rules,
            check=True,
            capture_output=True,
            text=True,
        )

    def key_hash(self) -> str:
        certificate = ssl.get_server_certificate((self.address, self.https))
        key = subprocess.run(
            ["openssl", "x509", "-pubkey", "-noout"], input=certificate, check=True, capture_output=True, text=True
        ).stdout
        der = subprocess.run(
            ["openssl", "pkey", "-pubin", "-outform", "der"], input=key.encode(), check=True, capture_output=True
        ).stdout
        return base64.b64encode(hashlib.sha256(der).digest()).decode()

    def watch(self, script: str | None = None) -> Watching:
        return Watching(self.browser, f"https://{self.host}:{self.https}/clock", script=script)


@pytest.mark.parametrize(
    ("transport", "rules", "script"),
    [
        ("tcp", "tcp dport {media} accept", only("^$")),
        ("turn/tcp", "tcp dport {media} accept", only("^turn:.*transport=tcp$", "relay")),
        ("turn/tls", "", None),
    ],
    ids=["ice-tcp", "turn-tcp", "turn-tls-with-only-https-open"],
)
def test_with_udp_blocked_webrtc_finds_another_way(
    start, open_things, tmp_path: pathlib.Path, transport: str, rules: str, script: str | None
) -> None:
    network = Strict(start, open_things, tmp_path, rules)
    began = time.monotonic()
    page = network.watch(script)
    page.wait_until_playing("webrtc", within=25)
    report(f"UDP blocked, {transport}: WebRTC frames after {time.monotonic() - began:.1f} s")
    page.wait_until_moving()
    assert_carried_by(network.relay, transport)
    assert not page.problems, page.problems


def test_a_nat_that_changes_its_port_does_not_stop_the_picture(start, open_things, tmp_path: pathlib.Path) -> None:
    network = Strict(start, open_things, tmp_path, None)
    page = network.watch(only("^$"))
    page.wait_until_playing("webrtc", within=15)
    before = eventually(
        lambda: (lambda pair: pair if pair["state"] == "succeeded" and pair["bytesSent"] > 100_000 else None)(
            selected(network.relay)
        ),
        10,
        "video flows",
    )
    assert before["transport"] == "udp"
    old = int(before["remote"].rsplit(":", 1)[1])
    new = old - 1 if old > 40_000 else old + 1
    # Stateless, so that it takes effect in the middle of a flow, as when a router forgets a binding.
    network.nft(
        f"""table ip nat4 {{
            chain out {{
                type filter hook output priority -300;
                udp sport {old} udp dport {network.media} notrack udp sport set {new}
            }}
            chain in {{
                type filter hook prerouting priority -300;
                udp sport {network.media} udp dport {new} notrack udp dport set {old}
            }}
        }}"""
    )
    transitions = page.page.evaluate("() => window.signalbox.transitions.length")
    changed = time.monotonic()
    eventually(
        lambda: any(
            pair["remote"].endswith(f":{new}") and pair["bytesSent"] > 100_000
            for pair in network.relay.snapshot()["pairs"]
        ),
        20,
        "video flows to the new port",
    )
    report(f"NAT rebound: video on the new path after {time.monotonic() - changed:.1f} s")
    viewer = page.state()["viewer"]
    page.wait_until_playing("webrtc", within=10)
    page.wait_until_moving()
    assert page.state()["viewer"] == viewer
    assert page.page.evaluate("() => window.signalbox.transitions.length") == transitions, "the page changed over"
    assert not page.problems, page.problems


def test_a_browser_on_ipv6_gets_its_media_over_ipv6(start, open_things, tmp_path: pathlib.Path) -> None:
    # The browser has both; the relay is at an IPv6 address only.
    network = Strict(start, open_things, tmp_path, None, address="fd5b:7::1")
    began = time.monotonic()
    page = network.watch(only("^$"))
    page.wait_until_playing("webrtc", within=15)
    took = time.monotonic() - began
    page.wait_until_moving()
    assert_carried_by(network.relay, "udp")
    pair = next(pair for pair in network.relay.ctl("pairs") if pair["isSelected"])
    report(f"IPv6 only: WebRTC frames after {took:.1f} s by {pair['local']} and {pair['remote']}")
    assert pair["state"] == "succeeded" and pair["bytesSent"] > 100_000, pair
    assert pair["local"] == f"host [fd5b:7::1]:{network.media}", pair
    assert re.fullmatch(r"(host|prflx) \[fd5b:7::2\]:\d+", pair["remote"]), pair
    decoded = page.frames()
    eventually(lambda: page.frames() >= decoded + 50, 5, "50 more frames are decoded")
    assert not page.problems, page.problems
