"""Strict firewalls: with only HTTPS open the page shows HLS by itself, and WebRTC again when UDP opens.

The browser takes the relay's self-signed certificate for the page only, not for TURN over TLS; with a trusted one
WebRTC comes that way (test_connectivity.py).
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import subprocess
import time
from typing import Iterator

import pytest

from browser import Watching
from conftest import CHROMIUM
from harness import eventually, report
from test_switching import camera_configuration


def run(*arguments: str) -> None:
    subprocess.run(arguments, check=True, capture_output=True, text=True)


@contextlib.contextmanager
def client_network(has_ipv6: bool = False) -> Iterator[str]:
    """A network namespace whose only way out is a wire to this one (198.18.7.2 to 198.18.7.1, fd5b:7::2 to fd5b:7::1)."""
    name = f"signalbox-{os.getpid()}"
    wire = f"sbx{os.getpid() % 100000}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "address", "add", "198.18.7.1/30", "dev", wire)
        run("ip", "link", "set", wire, "up")
        run("ip", "-n", name, "address", "add", "198.18.7.2/30", "dev", "eth0")
        if has_ipv6:
            # Without it they were in doubt for a second or two (RFC 4862 §5.4).
            run("ip", "address", "add", "fd5b:7::1/64", "dev", wire, "nodad")
            run("ip", "-n", name, "address", "add", "fd5b:7::2/64", "dev", "eth0", "nodad")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", wire], check=False, capture_output=True)
        run("ip", "netns", "delete", name)


def block_all_but(namespace: str, port: int) -> None:
    rules = f"""
        table inet firewall {{
            chain out {{
                type filter hook output priority 0; policy drop;
                oifname lo accept
                tcp dport {port} accept
            }}
        }}
    """
    subprocess.run(
        ["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=rules, check=True, capture_output=True, text=True
    )


def unblock(namespace: str) -> None:
    run("ip", "netns", "exec", namespace, "nft", "delete", "table", "inet", "firewall")


def test_only_https_open_gives_hls_and_webrtc_returns(start, open_things, tmp_path: pathlib.Path) -> None:
    if os.geteuid() != 0 or not CHROMIUM:
        reason = "needs root for a network namespace, and chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    demo = start.demo("--cameras", "1")
    namespace = open_things.enter_context(client_network())
    relay = start.relay(
        {"clock": camera_configuration(demo)}, auth="open", host="198.18.7.1", advertise=["198.18.7.1"]
    )
    relay.wait_for_camera("clock")
    https = int(relay.listener("https").rsplit(":", 1)[1])
    block_all_but(namespace, https)

    launcher = tmp_path / "chromium-behind-firewall"
    launcher.write_text(f'#!/bin/sh\nexec ip netns exec {namespace} {CHROMIUM} "$@"\n')
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    playwright = open_things.enter_context(sync_playwright())
    browser = playwright.chromium.launch(
        executable_path=str(launcher), args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    )
    open_things.callback(browser.close)

    began = time.monotonic()
    page = Watching(browser, f"https://198.18.7.1:{https}/clock")
    viewer = page.wait_until_playing("hls", within=8)["viewer"]
    report(f"only HTTPS open: HLS frames after {time.monotonic() - began:.1f} s")
    pairs = relay.snapshot()["pairs"]
    assert all(pair["checksReceived"] == 0 for pair in pairs), pairs

    # It says so in words: for programs, and on the console.
    blocked = f"UDP {relay.listener('media/udp').rsplit(':', 1)[1]}"
    ended = eventually(lambda: relay.ctl("pairs", "--ended"), 15, "the page gives WebRTC up")[0]
    report(f"only HTTPS open: {ended['verdict']}")
    assert ended["viewer"] == viewer
    assert ended["verdict"]["rule"] == "udp-blocked" and ended["verdict"]["cause"] == "client network"
    assert ended["verdict"]["text"].startswith(blocked) and ended["verdict"]["text"].endswith("blocked from the client")
    assert ended["ladder"][0]["name"] == "offer" and all(pair["checksReceived"] == 0 for pair in ended["pairs"])
    shown = next(entry for entry in relay.viewers() if entry["id"] == viewer)
    assert shown["why"] == f"watches by HLS: {ended['verdict']['text']}"
    console = start.attach(relay)
    console.press("3")
    console.wait_for("blocked from the client")
    console.press("w")
    console.wait_for("the page reaches us by HTTPS")
    console.press("\x1b")
    console.press("e")
    console.wait_for("Ended WebRTC sessions")
    console.wait_for("0 checks received in")

    unblock(namespace)
    unblocked = time.monotonic()
    page.wait_until_playing("webrtc", within=40)
    report(f"UDP open again: WebRTC after {time.monotonic() - unblocked:.1f} s")
    assert page.state()["viewer"] == viewer
    assert page.navigations == 1
