"""What is left of viewers when they are gone.

`SIGNALBOX_SESSIONS` sets how many come and go, 10,000 by default.
"""

from __future__ import annotations

import json
import os
import pathlib
import time
from typing import Any

import harness

BENCH = harness.BINARIES / "signalbox-bench"
SESSIONS = int(os.environ.get("SIGNALBOX_SESSIONS", "10000"))


def resources(relay: harness.Relay) -> dict[str, int]:
    """Resident kB, descriptors and threads once every viewer is forgotten and the memory has come to rest."""
    harness.eventually(lambda: not relay.viewers(), 40, "all viewers are gone")
    process = pathlib.Path(f"/proc/{relay.process.pid}")

    def read() -> dict[str, int]:
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
        return {
            "kB": int(status["VmRSS"].split()[0]),
            "descriptors": len(os.listdir(process / "fd")),
            "threads": int(status["Threads"]),
        }

    lowest = read()
    # A worker thread of Swift's own pool that has nothing to do ends after five seconds.
    for _ in range(24):
        time.sleep(0.25)
        lowest = {name: min(value, lowest[name]) for name, value in read().items()}
    return lowest


def test_sessions_that_are_over_leave_nothing_behind(start: Any) -> None:
    camera = start.child([str(BENCH), "camera"])
    port = json.loads(camera.first_line())["port"]
    relay = start.relay({"cam": {"source": f"rtsp://127.0.0.1:{port}/cam", "transport": "tcp"}})
    relay.wait_for_camera("cam")
    url = f"http://{relay.listener('http')}/cam/whep"
    early = max(SESSIONS // 10, 1)
    began = time.monotonic()
    clients = start.child([str(BENCH), "churn", url, "--checkpoints", f"{early},{SESSIONS}"])

    def checkpoint() -> dict[str, int]:
        reached = json.loads(clients.first_line(within=1200))
        # Each got its first picture; what could not is a failure of its own.
        assert reached["completed"] == reached["begun"] and not reached["failures"], reached
        return resources(relay)

    first = checkpoint()
    clients.say("go on")
    last = checkpoint()
    clients.say("that is all")
    harness.report(
        f"{SESSIONS} sessions in {time.monotonic() - began:.0f} s: resident {first['kB']} kB after {early}, "
        f"{last['kB']} kB at the end"
    )
    assert last["kB"] - first["kB"] <= 5 * 1024, (first, last)
    assert (last["descriptors"], last["threads"]) == (first["descriptors"], first["threads"])
