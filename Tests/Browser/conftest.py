"""Fixtures of the end-to-end tests; what a test starts is ended with it."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Any, Iterator

import pytest

import harness

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.usefixtures("binaries"))


@pytest.fixture(scope="session")
def binaries() -> None:
    """The programs under test."""
    assert harness.SIGNALBOX.exists() and harness.MEDIA.exists(), "build first: swift build"


@pytest.fixture
def open_things() -> Iterator[contextlib.ExitStack]:
    """Closes what a test registers here, last first."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def start(open_things: contextlib.ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Starts cameras, relays and consoles that end with the test."""

    class Start:
        def gstreamer(self, **options: Any) -> harness.GStreamerCamera:
            return self._keep(harness.GStreamerCamera(**options))

        def demo(self, *arguments: str) -> harness.DemoCameras:
            return self._keep(harness.DemoCameras(*arguments))

        def child(self, arguments: list[str]) -> harness.Child:
            return self._keep(harness.Child(arguments))

        def relay(self, cameras: dict[str, Any], wrap: list[str] | None = None, **options: Any) -> harness.Relay:
            directory = tmp_path_factory.mktemp("relay")
            return self._keep(harness.Relay(directory, harness.configuration(cameras, **options), wrap))

        def console(
            self, cameras: dict[str, Any], columns: int = 160, rows: int = 48, environment: Any = None, **options: Any
        ) -> harness.Console:
            directory = tmp_path_factory.mktemp("console")
            file = directory / "signalbox.yml"
            file.write_text(harness.configuration(cameras, **options))
            return self._keep(
                harness.Console(["--config", str(file)], directory / "state", columns, rows, environment)
            )

        def attach(self, relay: harness.RelayControl, *arguments: str, columns: int = 160, rows: int = 48) -> Any:
            return self._keep(harness.Console(["attach", *arguments], relay.state, columns, rows))

        def _keep(self, thing: Any) -> Any:
            open_things.callback(thing.close)
            return thing

    return Start()


@pytest.fixture
def chromium(open_things: contextlib.ExitStack) -> Any:
    """Headless Chromium; opens pages that accept the relay's self-signed certificate."""
    if not CHROMIUM:
        reason = "chromium is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    playwright = open_things.enter_context(sync_playwright())
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    )
    open_things.callback(browser.close)
    return browser
