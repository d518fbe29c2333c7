"""What the end-to-end tests are made of: cameras, the relay, its console in a terminal, and browsers.

Everything is started on ports the system chooses and ended by its own process id.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Any, Callable

import pyte

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("SIGNALBOX_BINARIES", ROOT / ".build" / "debug"))
SIGNALBOX = BINARIES / "signalbox"
MEDIA = BINARIES / "signalbox-media"
HERE = pathlib.Path(__file__).resolve().parent


def eventually(check: Callable[[], Any], within: float, what: str, every: float = 0.1) -> Any:
    """The first true result of `check`; fails with `what` and the last result when there is none in time."""
    deadline = time.monotonic() + within
    last: Any = None
    while True:
        try:
            last = check()
        except AssertionError as error:
            last = error
        if last and not isinstance(last, AssertionError):
            return last
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}; last seen: {last!r}")
        time.sleep(every)


def throughout(check: Callable[[], Any], seconds: float, what: str, every: float = 0.1) -> None:
    """Asserts that `check` is true all through a while: what must not happen has no event to wait for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert check(), f"not all through {seconds} s: {what}"
        time.sleep(every)


class Child:
    """A process that is ended with the test."""

    def __init__(self, arguments: list[str], **options: Any) -> None:
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **options
        )

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def first_line(self, within: float = 20) -> str:
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], within)
        line = self.process.stdout.readline() if ready else ""
        assert line, f"{self.process.args} said nothing (exit code {self.process.poll()})"
        return line.strip()

    def close(self) -> None:
        if self.process.poll() is None:
            try:
                assert self.process.stdin
                self.process.stdin.close()
                self.process.wait(3)
            except (subprocess.TimeoutExpired, BrokenPipeError, OSError):
                self.process.kill()
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


class GStreamerCamera(Child):
    """A camera made by GStreamer's RTSP server."""

    def __init__(self, **options: Any) -> None:
        arguments = ["/usr/bin/python3", str(HERE / "gst_camera.py")]
        for name, value in options.items():
            arguments += [f"--{name}", str(value)]
        super().__init__(arguments, stderr=subprocess.DEVNULL)
        self.url = self.first_line()

    def drop(self) -> None:
        """Closes every client's connection."""
        self.say("drop")


class DemoCameras(Child):
    """Our own demo cameras, with the faults they can be told to have."""

    def __init__(self, *arguments: str) -> None:
        super().__init__([str(MEDIA), "demo", *arguments], stderr=subprocess.DEVNULL)
        self.cameras = {camera["name"]: camera for camera in json.loads(self.first_line())["cameras"]}


def configuration(
    cameras: dict[str, Any], auth: str | None = None, host: str = "127.0.0.1", turn: bool = False, **more: Any
) -> str:
    """Configuration text (JSON is YAML) with listeners on ports the system chooses."""
    value: dict[str, Any] = {
        "listen": {"http": "127.0.0.1:0", "https": f"{host}:0", "media": f"{host}:0"},
        "cameras": cameras,
        **more,
    }
    if auth:
        value["viewers"] = {"auth": auth}
    if turn:
        value["listen"]["turn"] = f"{host}:0"
    return json.dumps(value, indent=2)


class ControlFailed(Exception):
    """`signalbox ctl` ended with a code other than 0."""


class RelayControl:
    """`signalbox ctl` for a relay whose state directory is known."""

    state: pathlib.Path

    def ctl(self, *arguments: str, check: bool = True) -> Any:
        done = subprocess.run(
            [str(SIGNALBOX), "ctl", *arguments, "--json", "--state-dir", str(self.state)],
            capture_output=True,
            text=True,
            timeout=40,
        )
        if check and done.returncode:
            raise ControlFailed(f"ctl {arguments}: {done.returncode} {done.stdout} {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def snapshot(self) -> dict[str, Any]:
        return self.ctl("snapshot")

    def camera(self, name: str) -> dict[str, Any]:
        return next(camera for camera in self.snapshot()["cameras"] if camera["id"] == name)

    def viewers(self) -> list[dict[str, Any]]:
        return self.snapshot()["viewers"]

    def wait_for_camera(self, name: str, state: str = "live", within: float = 20) -> dict[str, Any]:
        return eventually(
            lambda: (lambda camera: camera if camera["state"] == state else None)(self.camera(name)),
            within,
            f"camera {name} {state}",
        )

    def listener(self, name: str) -> str:
        return next(entry["address"] for entry in self.snapshot()["node"]["listeners"] if entry["name"] == name)

    @property
    def page(self) -> str:
        return self.snapshot()["node"]["pageURL"].rstrip("/")


class Relay(RelayControl):
    """`signalbox serve` on a state directory of its own."""

    def __init__(
        self, directory: pathlib.Path, config: str, wrap: list[str] | None = None, name: str = "signalbox.yml"
    ) -> None:
        self.state = directory / "state"
        file = directory / name
        file.write_text(config)
        self.log = open(directory / "serve.log", "w")
        self.process = subprocess.Popen(
            [*(wrap or []), str(SIGNALBOX), "serve", "--config", str(file), "--state-dir", str(self.state)],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(self._is_up, 30, "the relay is up", every=0.2)
        except AssertionError:
            self.close()
            raise AssertionError((directory / "serve.log").read_text()) from None

    def _is_up(self) -> bool:
        assert self.process.poll() is None, "the relay ended"
        try:
            return bool(self.snapshot())
        except ControlFailed:
            return False

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class Console(RelayControl):
    """A `signalbox` command on a pseudo-terminal, with an emulator that shows what an operator sees."""

    def __init__(
        self,
        arguments: list[str],
        state: pathlib.Path,
        columns: int = 160,
        rows: int = 48,
        environment: dict[str, str] | None = None,
        program: str | None = None,
    ) -> None:
        self.state = state
        words = [program, *arguments] if program else [str(SIGNALBOX), *arguments, "--state-dir", str(state)]
        self.display = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.display)
        self.raw = bytearray()
        env = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(environment or {})}
        env.pop("NO_COLOR", None) if not environment or "NO_COLOR" not in environment else None
        self.started, self.terminal = pty.fork()
        if self.started == 0:
            os.execve(words[0], words, env)
        self.resize(columns, rows)
        # Of the process that a shell would wait for.
        self.exit_status: int | None = None
        # An attached console is one process; otherwise the one that holds the relay is known when it is there.
        self._pid = self.started if program or arguments[0] == "attach" else None

    @property
    def pid(self) -> int:
        """The process with the console, and the relay if that is in it."""
        if self._pid is None:
            found = children(self.started)
            if not found:
                return self.started
            self._pid = found[0]
        return self._pid

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.display.resize(rows, columns)

    def pump(self, seconds: float = 0.05) -> None:
        """Takes in what the console has written."""
        deadline = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                return
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data
            self.stream.feed(data)

    def text(self) -> str:
        self.pump()
        return "\n".join(self.display.display)

    def press(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def wait_for(self, text: str, within: float = 10) -> str:
        try:
            return eventually(lambda: (lambda shown: shown if text in shown else None)(self.text()), within, text, 0.05)
        except AssertionError:
            raise AssertionError(f"not within {within} s on the console: {text}\n{self.text()}") from None

    def is_waited_for(self) -> bool:
        """Whether a shell that started it would still wait."""
        if self.exit_status is None:
            pid, status = os.waitpid(self.started, os.WNOHANG)
            if pid:
                self.exit_status = os.waitstatus_to_exitcode(status)
        return self.exit_status is None

    def is_running(self) -> bool:
        pid = self.pid
        return self.is_waited_for() or is_alive(pid)

    def hang_up(self) -> None:
        """Takes the terminal away, as a lost SSH connection does."""
        assert self.pid
        os.close(self.terminal)
        self.terminal = -1

    def close(self) -> None:
        if self.is_running():
            os.kill(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + 8
            while self.is_running() and time.monotonic() < deadline:
                if self.terminal >= 0:
                    self.pump(0.1)
                else:
                    time.sleep(0.1)
            if self.is_running():
                os.kill(self.pid, signal.SIGKILL)
                eventually(lambda: not self.is_running(), 5, "it ends")
        if self.terminal >= 0:
            os.close(self.terminal)
            self.terminal = -1


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are still there."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(entry.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """CPU time a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(text: str) -> None:
    """A measured figure, shown with the tests' results."""
    print(f"MEASURED {text}", file=sys.stderr)
