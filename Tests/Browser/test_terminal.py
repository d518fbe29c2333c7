"""The console's terminal: clean when it ends, and no part of the relay's life depends on it."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import time

import pytest

from browser import Watching
from harness import SIGNALBOX, Console, children, configuration, cpu_seconds, eventually, is_alive, report
from test_switching import camera_configuration


def test_hang_up_leaves_the_relay_running_and_attach_brings_the_console_back(start, chromium) -> None:
    demo = start.demo("--cameras", "1")
    console = start.console({"clock": camera_configuration(demo)})
    console.wait_for("clock", 20)
    page = Watching(chromium, f"{console.page}/clock")
    viewer = page.wait_until_playing("webrtc")["viewer"]

    def load(seconds: float) -> float:
        """Share of a core the process uses."""
        used, began = cpu_seconds(console.pid), time.monotonic()
        deadline = began + seconds
        while time.monotonic() < deadline:
            console.pump(0.1) if console.terminal >= 0 else time.sleep(0.1)
        return (cpu_seconds(console.pid) - used) / (time.monotonic() - began)

    with_terminal = load(4)
    console.hang_up()
    time.sleep(1)
    assert console.is_running(), "the relay ended with its terminal"
    frames = page.frames()
    headless = load(4)
    report(f"one camera, one viewer: {with_terminal:.1%} of a core with the console, {headless:.1%} without a terminal")
    assert headless < with_terminal + 0.05, "the lost terminal costs CPU time"
    assert page.frames() > frames, "the stream stopped"

    attached = start.attach(console)
    attached.wait_for("clock")
    attached.press("3")
    attached.wait_for(viewer[:6])
    attached.press("q")
    eventually(lambda: not attached.is_running(), 5, "the attached console ends")
    assert console.is_running()
    page.wait_until_playing("webrtc")


@pytest.mark.parametrize("command", ["", "attach "])
def test_a_console_in_the_background_leaves_the_terminal_to_the_shell(open_things, tmp_path, command: str) -> None:
    file = tmp_path / "signalbox.yml"
    file.write_text(configuration({}))
    shell = Shell(tmp_path / "state")
    open_things.callback(shell.close)
    shell.wait_for("ready>", 10)
    options = "" if command else f"--config {file} "
    shell.press(f"{SIGNALBOX} {command}{options}--state-dir {shell.state} &\n")
    shell.wait_for("started in the background")
    shell.run("wait %1; echo ended with $?", "ended with 1")
    assert not children(shell.pid)


class Shell(Console):
    """Bash with job control on a pseudo-terminal."""

    def __init__(self, state: pathlib.Path) -> None:
        environment = {"PS1": "ready> ", "HISTFILE": ""}
        super().__init__(["--norc", "--noprofile", "-i"], state, environment=environment, program="/bin/bash")

    def close(self) -> None:
        for child in children(self.pid):
            os.kill(child, signal.SIGKILL)
        # An interactive shell takes no notice of SIGTERM.
        if self.terminal >= 0:
            self.hang_up()
        super().close()

    def interrupt(self) -> None:
        """Types ^C, and waits for the prompt after it."""
        self.display.reset()
        self.press("\x03")
        self.wait_for("ready>")

    def run(self, line: str, answer: str) -> None:
        """Types a command and waits for what it prints, which its own line must not contain."""
        self.display.reset()
        self.press(line + "\n")
        self.wait_for(answer)


def test_signal_hup_leaves_the_relay_running(start) -> None:
    demo = start.demo("--cameras", "1")
    console = start.console({"clock": camera_configuration(demo)})
    console.wait_for("clock", 20)
    os.kill(console.pid, signal.SIGHUP)
    time.sleep(1.5)
    assert console.is_running()
    assert console.camera("clock")


def test_the_shell_has_its_prompt_back_and_the_relay_is_out_of_its_reach(start, open_things, tmp_path) -> None:
    demo = start.demo("--cameras", "1")
    file = tmp_path / "signalbox.yml"
    file.write_text(configuration({"clock": camera_configuration(demo)}))
    shell = Shell(tmp_path / "state")
    open_things.callback(shell.close)
    shell.wait_for("ready>", 10)
    shell.press(f"{SIGNALBOX} --config {file} --state-dir {shell.state}\n")
    shell.wait_for("clock", 20)
    # ^Z is the console's as long as there is one.
    shell.press("\x1a")
    shell.wait_for("leaves it running")
    relay = shell.snapshot()["node"]["processID"]
    open_things.callback(lambda: is_alive(relay) and os.kill(relay, signal.SIGKILL))

    shell.press("q")
    shell.wait_for("shut the relay down")
    time.sleep(0.8)
    shell.press("d")
    shell.wait_for(f"`kill {relay}` ends it")
    shell.run("echo left with $?", "left with 0")
    assert is_alive(relay), "the relay ended with its console"
    # What is typed, run and stopped here is the shell's. ^C and ^Z throw away what is typed ahead.
    shell.interrupt()
    shell.run("echo begun $((40 + 2)); sleep 60 | cat", "begun 42")
    time.sleep(0.5)
    shell.press("\x1a")
    shell.wait_for("Stopped")
    time.sleep(0.5)
    shell.run("kill %1; echo killed $((40 + 2))", "killed 42")
    shell.interrupt()
    before = shell.wait_for_camera("clock")["uptime"]
    time.sleep(1.2)
    assert shell.wait_for_camera("clock")["uptime"] >= before + 1, "the relay stands still"
    shell.hang_up()
    time.sleep(1)
    assert is_alive(relay), "the relay ended with the shell's terminal"
    attached = start.attach(shell)
    attached.wait_for("clock")
    os.kill(relay, signal.SIGTERM)
    eventually(lambda: not is_alive(relay), 8, "kill ends it")


@pytest.mark.parametrize("way", ["shut down", "terminate", "crash"])
def test_the_terminal_is_left_clean(start, way: str) -> None:
    import termios

    # The Swift runtime would print a backtrace after a crash, which takes a debug build half a minute.
    console = start.console({}, columns=80, rows=24, environment={"SWIFT_BACKTRACE": "enable=no"})
    console.wait_for("?", 20)
    if way == "terminate":
        os.kill(console.pid, signal.SIGTERM)
    elif way == "crash":
        os.kill(console.pid, signal.SIGSEGV)
    else:
        console.press("q")
        console.wait_for("shut the relay down")
        # The dialog takes no notice of what was typed ahead of it.
        time.sleep(0.8)
        console.press("x")

    def ended() -> bool:
        console.pump(0.1)
        return not console.is_running()

    eventually(ended, 8, "the program ends")
    console.pump(0.3)
    raw = bytes(console.raw)
    assert raw.rfind(b"\x1b[?1049l") > raw.rfind(b"\x1b[?1049h"), "the alternate screen was not left"
    assert console.exit_status == (-signal.SIGSEGV if way == "crash" else 0)
    modes = termios.tcgetattr(console.terminal)[3]
    assert modes & termios.ECHO and modes & termios.ICANON, "the terminal is still raw"


def test_control_z_is_refused_with_a_hint(start) -> None:
    console = start.console({})
    console.wait_for("?", 20)
    console.press("\x1a")
    console.wait_for("leaves it running")
    assert console.is_running()


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "xterm"}, {"TERM": "vt100"}, {"LC_ALL": "C"}])
def test_plain_terminals_work(start, environment: dict[str, str]) -> None:
    demo = start.demo("--cameras", "1")
    console = start.console({"clock": camera_configuration(demo)}, columns=80, rows=24, environment=environment)
    console.wait_for("clock", 20)
    for key in "1234567":
        console.press(key)
        console.pump(0.3)
    if "NO_COLOR" in environment:
        codes = [code for run in re.findall(rb"\x1b\[([0-9;]*)m", bytes(console.raw)) for code in run.split(b";")]
        assert not [code for code in codes if code and (30 <= int(code) <= 48 or 90 <= int(code) <= 107)], codes


def test_attached_console_shows_the_same(start) -> None:
    demo = start.demo("--cameras", "1")
    relay = start.relay({"clock": camera_configuration(demo)})
    relay.wait_for_camera("clock")
    attached = start.attach(relay)
    attached.wait_for("clock")
    attached.press("2")
    attached.wait_for("H264")
    attached.press("q")
    eventually(lambda: not attached.is_running(), 5, "it ends")
    assert relay.process.poll() is None
