"""Bad input: one clear sentence with the remedy, a non-zero exit, never a crash or a hang."""

from __future__ import annotations

import json
import os
import socket
import subprocess

import pytest

import harness


def run(*arguments: str, **options):
    return subprocess.run(
        [str(harness.SIGNALBOX), *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        stdin=subprocess.DEVNULL,
        **options,
    )


def config(tmp_path, text: str) -> str:
    file = tmp_path / "signalbox.yml"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("cameras:\n  yard: {source: http://10.0.0.1/}\n", ["signalbox.yml:2:", "cameras.yard.source", "rtsp"]),
        ("cameras:\n  yard: {sorce: rtsp://10.0.0.1/}\n", ["cameras.yard.sorce", "source"]),
        ("cameras:\n  'a b': {source: rtsp://10.0.0.1/}\n", ["cameras.a b", "characters"]),
        ("cameras: [\n", ["signalbox.yml:", "YAML"]),
        ("listen: {https: nonsense}\n", ["listen.https", "nonsense", "8443"]),
        ("viewers: {auth: maybe}\n", ["viewers.auth", "open"]),
        ("delivery: carrier-pigeon\n", ["delivery", "auto", "webrtc", "hls"]),
        ("a: &x [1]\nb: *x\n", ["signalbox.yml:"]),
        ("cameras:\n  yard: {source: rtsp://h/, password: {file: missing.secret}}\n", ["missing.secret", "password"]),
    ],
)
def test_a_wrong_configuration_is_explained(tmp_path, text: str, expected: list[str]) -> None:
    done = run("check", "--config", config(tmp_path, text))
    assert done.returncode == 78, done
    for word in expected:
        assert word in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) <= 4


def test_all_problems_are_told_in_one_run(tmp_path) -> None:
    text = "delivery: x\nadvertise: [nowhere]\ncameras:\n  yard: {source: ftp://h}\n  gate: {}\n"
    done = run("check", "--config", config(tmp_path, text))
    assert done.returncode == 78
    for word in ["delivery", "advertise", "cameras.yard.source", "cameras.gate"]:
        assert word in done.stderr, done.stderr


def test_a_right_configuration_passes(tmp_path) -> None:
    done = run("check", "--config", config(tmp_path, "cameras:\n  yard: {source: rtsp://127.0.0.1:1/x}\n"))
    assert done.returncode == 0, done.stderr


def test_a_missing_file_is_named(tmp_path) -> None:
    done = run("serve", "--config", str(tmp_path / "none.yml"), "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 78 and "none.yml" in done.stderr


@pytest.mark.parametrize(
    ("listener", "kind"),
    [("http", "tcp"), ("https", "tcp"), ("media", "udp"), ("media", "tcp"), ("turn", "udp"), ("turn", "tcp")],
)
def test_a_port_in_use_is_named(tmp_path, listener: str, kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == "tcp":
            taken.listen()
        port = taken.getsockname()[1]
        listen = {"http": "127.0.0.1:0", "https": "127.0.0.1:0", "media": "127.0.0.1:0", listener: f"127.0.0.1:{port}"}
        value = json.loads(harness.configuration({}))
        value["listen"] = listen
        done = run("serve", "--config", config(tmp_path, json.dumps(value)), "--state-dir", str(tmp_path / "state"))
    assert done.returncode not in (0, -9), done
    assert str(port) in done.stderr and ("in use" in done.stderr or "another program" in done.stderr), done.stderr
    assert f"listen.{listener}" in done.stderr, "the key is not named"
    assert "errno" not in done.stderr and "bind(" not in done.stderr, "the system's words are enough"


def test_an_unwritable_state_directory_is_named(tmp_path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = run("serve", "--config", config(tmp_path, harness.configuration({})), "--state-dir", str(blocked / "state"))
    assert done.returncode == 1 and "state" in done.stderr and "--state-dir" in done.stderr


def test_a_terminal_that_is_none_is_explained(tmp_path) -> None:
    done = run("--config", config(tmp_path, harness.configuration({})), "--state-dir", str(tmp_path / "state"))
    assert done.returncode != 0 and "terminal" in done.stderr and "serve" in done.stderr, done.stderr


def test_an_unknown_terminal_type_is_explained(start) -> None:
    console = start.console({}, environment={"TERM": "no-such-terminal"})
    harness.eventually(lambda: (console.pump(0.2), not console.is_running())[1], 20, "it ends")
    assert console.exit_status != 0
    assert b"no-such-terminal" in bytes(console.raw)


def test_ctl_without_a_relay_says_so(tmp_path) -> None:
    done = run("ctl", "cameras", "--state-dir", str(tmp_path))
    assert done.returncode == 5 and "serve" in done.stderr, done


def test_ctl_refusals_and_usage(start) -> None:
    relay = start.relay({})
    arguments = ["--state-dir", str(relay.state)]
    done = run("ctl", "restart", "nothing", *arguments)
    assert done.returncode == 3 and "nothing" in done.stderr
    unknown = run("ctl", "explode", *arguments)
    assert unknown.returncode == 2 and "ctl explode" in unknown.stderr and "--state-dir" not in unknown.stderr
    assert run("ctl", "switch", "nobody", "hls", *arguments).returncode == 3


def test_ctl_refusals_as_json(start, tmp_path) -> None:
    relay = start.relay({})
    done = run("ctl", "restart", "nothing", "--json", "--state-dir", str(relay.state))
    assert done.returncode == 3
    answer = json.loads(done.stdout)
    assert answer["outcome"] == "refused" and "nothing" in answer["problem"] and answer["remedy"]
    done = run("ctl", "cameras", "--json", "--state-dir", str(tmp_path / "none"))
    assert done.returncode == 5 and json.loads(done.stdout)["outcome"] == "noRelay"


def test_check_tries_the_cameras_with_their_credentials(start, tmp_path) -> None:
    url = start.gstreamer(user="relay", password="secret").url
    bad = {"source": url, "user": "relay", "password": "wrong"}
    right = {"source": url, "user": "relay", "password": "secret"}
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    value = {"cameras": {"yard": right, "off": {"source": f"rtsp://127.0.0.1:{port}/x"}}}
    done = run("check", "--config", config(tmp_path, json.dumps(value)), "--state-dir", str(tmp_path))
    assert done.returncode == 0, done
    assert f"cameras.off (rtsp://127.0.0.1:{port}/x)" in done.stdout and "1 not reachable" in done.stdout, done.stdout
    value["cameras"]["gate"] = bad
    done = run("check", "--config", config(tmp_path, json.dumps(value)), "--state-dir", str(tmp_path))
    assert done.returncode == 78, done
    assert "cameras.gate" in done.stderr and "password" in done.stderr and "secret" not in done.stderr, done.stderr


def test_help_and_version() -> None:
    for word in ["--config", "--theme", "rtsp://", "console --help"]:
        assert word in run("--help").stdout
    assert "signalbox" in run("--help").stdout
    assert run("--version").stdout.strip()
    environment = {**os.environ, "NO_COLOR": "1"}
    assert "\x1b" not in run("--help", env=environment).stdout
