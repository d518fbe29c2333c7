"""Firefox, driven over its own Marionette port with the standard library alone.

Debian has no geckodriver and Playwright's Firefox is a build of its own, so what runs here is the package's program.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")

PREFERENCES = {
    "marionette.port": 0,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    # Nothing is asked of the network: no plug-in download, no telemetry, no updates.
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-manager.url": "",
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """A headless Firefox with a profile of its own; accepts the relay's self-signed certificate."""

    def __init__(self) -> None:
        assert FIREFOX, "firefox-esr is not installed"
        self.profile = pathlib.Path(tempfile.mkdtemp(prefix="signalbox-firefox-"))
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (self.profile / "user.js").write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            [FIREFOX, "--headless", "--no-remote", "--marionette", "--profile", str(self.profile)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MOZ_CRASHREPORTER_DISABLE": "1", "HOME": str(self.profile)},
            start_new_session=True,
        )
        self.connection: socket.socket | None = None
        self.received = b""
        self.number = 0
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        file = self.profile / "MarionetteActivePort"
        deadline = time.monotonic() + 60
        while not (file.exists() and file.read_text().strip()):
            assert self.process.poll() is None, f"Firefox ended with {self.process.returncode}"
            assert time.monotonic() < deadline, "Firefox opened no Marionette port"
            time.sleep(0.1)
        self.connection = socket.create_connection(("127.0.0.1", int(file.read_text())), timeout=60)
        self._message()
        capabilities = {"acceptInsecureCerts": True, "pageLoadStrategy": "eager"}
        session = self._command("WebDriver:NewSession", capabilities)
        self.version = session["capabilities"]["browserVersion"]

    def _message(self) -> Any:
        """One `LENGTH:JSON` message."""
        assert self.connection
        while b":" not in self.received:
            self._more()
        length, _, self.received = self.received.partition(b":")
        while len(self.received) < int(length):
            self._more()
        text, self.received = self.received[: int(length)], self.received[int(length) :]
        return json.loads(text)

    def _more(self) -> None:
        assert self.connection
        data = self.connection.recv(65_536)
        assert data, "Firefox closed the Marionette connection"
        self.received += data

    def _command(self, name: str, parameters: dict[str, Any]) -> Any:
        assert self.connection
        self.number += 1
        text = json.dumps([0, self.number, name, parameters]).encode()
        self.connection.sendall(str(len(text)).encode() + b":" + text)
        while True:
            kind, number, error, result = self._message()
            if kind == 1 and number == self.number:
                assert error is None, f"{name}: {error}"
                return result

    def goto(self, url: str) -> None:
        self._command("WebDriver:Navigate", {"url": url})

    def evaluate(self, function: str) -> Any:
        """The result of a JavaScript function, which may be a promise."""
        script = (
            "const done = arguments[arguments.length - 1];"
            f"Promise.resolve(({function})()).then(v => done({{ok: v}}), e => done({{error: String(e)}}));"
        )
        parameters = {"script": script, "args": [], "scriptTimeout": 30_000, "newSandbox": False, "sandbox": None}
        value = self._command("WebDriver:ExecuteAsyncScript", parameters)["value"]
        assert "error" not in value, value["error"]
        return value.get("ok")

    def close(self) -> None:
        if self.connection:
            try:
                self._command("Marionette:Quit", {"flags": ["eForceQuit"]})
            except (AssertionError, OSError, ValueError):
                pass
            self.connection.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
