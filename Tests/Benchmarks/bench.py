"""`make bench`: what a viewer, a packet and a camera cost.

    bench.py                       everything
    bench.py --only micro|fanout|ingest
    MEDIAMTX=path bench.py         the fan-out also against that MediaMTX binary, in the same sitting

Camera, relay and viewers are processes of their own; the relay's processor time and memory are read from the kernel.
Everything is started on ports of loopback and ended by its own process id. Results: a table, and JSON in
`.build/bench.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]

# MediaMTX 1.20 on a quiet machine with two cores, 100 viewers of 720p25 H.264 of about 2 Mbit/s over loopback.
RECORDED = {
    "cpu_s_per_gb": 16.6,
    "kb_per_viewer": 4100,
    "first_packet_ms": (32, 83),
    "first_keyframe_ms": (1146, 1923),
    "ingest_ms": 2.1,
}


class Child:
    """A process that reads lines, writes lines and is ended with the benchmark."""

    def __init__(self, arguments: list[str], **options: Any) -> None:
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **options
        )

    def ask(self, line: str, within: float = 30) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer(within)

    def answer(self, within: float) -> dict[str, Any]:
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], within)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise SystemExit(f"{self.process.args} said nothing (exit code {self.process.poll()})")
        return json.loads(line)

    def close(self) -> None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait(8)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Server:
    """The program under test."""

    def __init__(self, arguments: list[str], log: pathlib.Path) -> None:
        self.log = log
        self.state = log.parent
        with open(log, "w") as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent
            )

    @property
    def pid(self) -> int:
        if self.process.poll() is not None:
            raise SystemExit(f"{self.process.args} ended:\n{self.log.read_text()}")
        return self.process.pid

    def cpu(self) -> float:
        """Processor seconds used by all threads (CPUCLOCK_SCHED of the process, nanosecond resolution)."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def resident_kb(self) -> int:
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise SystemExit("the kernel does not tell the resident memory")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(8)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.program = str(options.binaries / "signalbox-bench")
        self.relay = str(options.binaries / "signalbox")

    @contextlib.contextmanager
    def camera(self) -> Iterator[int]:
        child = Child([self.program, "camera"])
        try:
            yield child.answer(10)["port"]
        finally:
            child.close()

    @contextlib.contextmanager
    def signalbox(self, cameras: dict[str, str]) -> Iterator[tuple[Server, str]]:
        """The relay with these cameras, once they are live; and the address of its plain HTTP listener."""
        with tempfile.TemporaryDirectory() as folder:
            state = pathlib.Path(folder)
            config = {
                "listen": {"http": "127.0.0.1:0", "https": "off", "media": "127.0.0.1:0"},
                "cameras": {name: {"source": url, "transport": "tcp"} for name, url in cameras.items()},
            }
            (state / "signalbox.yml").write_text(json.dumps(config))
            arguments = ["serve", "--config", str(state / "signalbox.yml"), "--state-dir", str(state / "s")]
            server = Server([self.relay, *arguments], state / "log")
            try:
                deadline = time.monotonic() + 60
                while True:
                    time.sleep(0.5)
                    shown = self.snapshot(state / "s")
                    if shown and all(camera["state"] == "live" for camera in shown["cameras"]):
                        break
                    if time.monotonic() > deadline:
                        raise SystemExit(f"the cameras are not live:\n{server.log.read_text()}")
                listeners = shown["node"]["listeners"]
                http = next(entry["address"] for entry in listeners if entry["name"] == "http")
                server.state = state / "s"
                yield server, f"http://{http.removeprefix('http://')}"
            finally:
                server.close()

    def snapshot(self, state: pathlib.Path) -> dict[str, Any] | None:
        done = subprocess.run(
            [self.relay, "ctl", "snapshot", "--json", "--state-dir", str(state)], capture_output=True, text=True
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    @contextlib.contextmanager
    def mediamtx(self, binary: str, camera: int) -> Iterator[tuple[Server, str]]:
        with tempfile.TemporaryDirectory() as folder:
            state = pathlib.Path(folder)
            off = "\n".join(f"{name}: no" for name in ["rtsp", "rtmp", "hls", "srt", "api", "metrics"])
            (state / "mediamtx.yml").write_text(
                f"logLevel: warn\n{off}\nwebrtc: yes\nwebrtcAddress: 127.0.0.1:38889\n"
                "webrtcLocalUDPAddress: 127.0.0.1:38189\nwebrtcIPsFromInterfaces: no\n"
                "webrtcAdditionalHosts: [127.0.0.1]\n"
                f"paths:\n  cam:\n    source: rtsp://127.0.0.1:{camera}/cam\n    rtspTransport: tcp\n"
            )
            server = Server([binary, str(state / "mediamtx.yml")], state / "log")
            try:
                time.sleep(4)
                yield server, "http://127.0.0.1:38889"
            finally:
                server.close()

    # What is measured.

    def micro(self) -> dict[str, Any]:
        say("micro")
        measured = subprocess.run([self.program, "micro"], check=True, capture_output=True, text=True)
        rows = json.loads(measured.stdout)
        by_callgrind = any(row["instructions"] is None for row in rows.values()) and shutil.which("valgrind")
        if by_callgrind:
            for name, row in rows.items():
                say(f"micro: counting instructions: {name}", again=True)
                row["instructions"] = self.instructions(name)
        show_micro(rows, bool(by_callgrind))
        return rows

    def instructions(self, name: str) -> float:
        """Per operation, counted by callgrind: those of the program itself, not the kernel's."""
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "callgrind"
            # valgrind 3.19 does not read the compiler's debug information; names are enough.
            program = f"{folder}/program"
            subprocess.run(["objcopy", "--strip-debug", self.program, program], check=True)
            command = ["valgrind", "--tool=callgrind", "--toggle-collect=*enterMeasuredRegion*", "-q"]
            step = [program, "micro", "--batches", "1", "--only", name]
            measured = subprocess.run(
                [*command, f"--callgrind-out-file={out}", *step], check=True, capture_output=True, text=True
            )
            totals = [line for line in out.read_text().splitlines() if line.startswith(("summary:", "totals:"))]
            return int(totals[-1].split()[1]) / json.loads(measured.stdout)[name]["operations"]

    def fanout(self, server: Server, url: str, viewers: int, name: str) -> dict[str, Any]:
        # One viewer comes and goes first: program pages that are read for the first time are no viewer's memory.
        self.warm_up(url)
        before = server.resident_kb()
        say(f"{name}: {viewers} viewers join")
        interval = self.options.interval
        load = Child([self.program, "load", url, "--viewers", str(viewers), "--interval", str(interval)])
        try:
            joined = load.answer(60 + viewers * interval / 1000)
            if joined["failures"]:
                say(f"{name}: not all joined: {joined['failures']}")
            time.sleep(3)
            load.ask("reset")
            cpu, began = server.cpu(), time.monotonic()
            for second in range(self.options.seconds):
                time.sleep(1)
                say(f"{name}: {viewers} viewers, {second + 1} of {self.options.seconds} s", again=True)
            measured = load.ask("report")
            cpu, elapsed = server.cpu() - cpu, time.monotonic() - began
            after = server.resident_kb()
        finally:
            load.close()
        gigabytes = measured["bytes"] / 1e9
        return {
            "server": name,
            "viewers": viewers,
            "cpu_s_per_gb": cpu / gigabytes if gigabytes else None,
            "cores": cpu / elapsed,
            "packets_per_core_s": measured["packets"] / cpu if cpu else None,
            "mbit_s": measured["bytes"] * 8 / measured["seconds"] / 1e6,
            "kb_per_viewer": (after - before) / viewers,
            "lost": measured["lost"],
            "packets": measured["packets"],
            "joined": joined,
            "latency_inter_ms": measured["inter_ms"],
            "latency_keyframe_ms": measured["keyframe_ms"],
        }

    def warm_up(self, url: str) -> None:
        first = Child([self.program, "load", url, "--viewers", "1"])
        first.answer(60)
        time.sleep(2)
        first.close()
        time.sleep(2)

    def fanouts(self) -> list[dict[str, Any]]:
        rows = []
        binary = os.environ.get("MEDIAMTX")
        with self.camera() as camera:
            for viewers in self.options.viewers:
                # A relay of its own for each row, so that memory is not what an earlier row left behind.
                with self.signalbox({"cam": f"rtsp://127.0.0.1:{camera}/cam"}) as (server, http):
                    rows.append(self.fanout(server, f"{http}/cam/whep", viewers, "signalbox"))
                rows[-1]["bare_cpu_s_per_gb"] = self.bare(viewers)
                show_fanout(rows[-1], head=viewers == self.options.viewers[0])
                if binary:
                    with self.mediamtx(binary, camera) as (server, http):
                        rows.append(self.fanout(server, f"{http}/cam/whep", viewers, "mediamtx"))
                    show_fanout(rows[-1])
        return rows

    def bare(self, viewers: int) -> float:
        """CPU seconds per GB of encrypting and sending alone, at the fan-out's rhythm and to as many sockets."""
        sink = Child([self.program, "sink", "--viewers", str(viewers)])
        try:
            ports = [str(port) for port in sink.answer(10)["ports"]]
            seconds = self.options.seconds
            say(f"bare: {viewers} sockets for {seconds} s")
            sender = Child([self.program, "bare", "--seconds", str(seconds), *ports])
            try:
                return sender.answer(seconds + 10)["cpu_s_per_gb"]
            finally:
                sender.close()
        finally:
            sink.close()

    def ingest(self) -> dict[str, Any]:
        count = self.options.cameras
        with self.camera() as camera:
            urls = {f"cam{number}": f"rtsp://127.0.0.1:{camera}/cam{number}" for number in range(count)}
            say(f"ingest: {count} cameras")
            with self.signalbox({"cam": f"rtsp://127.0.0.1:{camera}/cam"}) as (server, _):
                time.sleep(5)
                empty = server.resident_kb()
            with self.signalbox(urls) as (server, _):
                time.sleep(5)
                cpu, began = server.cpu(), time.monotonic()
                time.sleep(self.options.seconds)
                cpu, elapsed = server.cpu() - cpu, time.monotonic() - began
                resident = server.resident_kb()
                shown = self.snapshot(server.state) or {"cameras": []}
                cached = sum(camera["cachedBytes"] for camera in shown["cameras"]) / 1024 / count
            bare = Child([self.program, "bare-ingest", str(camera), "--cameras", str(count), "--seconds", str(self.options.seconds)])
            try:
                say(f"bare: reading from {count} cameras for {self.options.seconds} s")
                floor = bare.answer(self.options.seconds + 20)["ms_per_camera_s"]
            finally:
                bare.close()
        return {
            "cameras": count, "ms_per_camera_s": cpu / elapsed / count * 1000, "bare_ms_per_camera_s": floor,
            "resident_kb": resident, "kb_per_camera": (resident - empty) / count, "cached_kb_per_camera": cached,
        }


def say(text: str, again: bool = False) -> None:
    """Progress, on a line of its own that the next one may overwrite."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif not again:
        print(text, file=sys.stderr, flush=True)


def done() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def figure(value: Any, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def pair(values: dict[str, float] | None, first: str, second: str) -> str:
    return "-" if not values else f"{values[first]:.1f} / {values[second]:.1f}"


def show_micro(rows: dict[str, Any], by_callgrind: bool) -> None:
    done()
    print(
        "".join(cell.rjust(width) for cell, width in [("ns", 60), ("instructions", 14), ("allocations", 13)])
        + (" (instructions by callgrind, without the kernel's)" if by_callgrind else "")
    )
    for name, row in rows.items():
        cells = [(row["ns"], 1, 10), (row["instructions"], 0, 14), (row["allocations"], 2, 13)]
        print(name.ljust(50) + "".join(figure(value, digits).rjust(width) for value, digits, width in cells))


COLUMNS = [
    ("server", 10), ("viewers", 8), ("CPU s/GB", 9), ("bare", 6), ("cores", 7), ("pkt/core-s", 11), ("kB/viewer", 10),
    ("1st RTP ms", 14), ("1st key ms", 15), ("inter ms", 13), ("key ms", 13), ("lost", 6),
]


def line(cells: list[str]) -> None:
    print("".join(cell.rjust(width) for cell, (_, width) in zip(cells, COLUMNS)), flush=True)


def show_fanout(row: dict[str, Any], head: bool = False) -> None:
    done()
    if head:
        print("\nfan-out; times: median / p95 from the offer; added latency: p50 / p99, camera's send to viewer's kernel;"
              "\nbare: CPU s/GB of AES-GCM and one segmented send a viewer and picture, at the same rhythm, with nothing else")
        line([name for name, _ in COLUMNS])
    line([
        row["server"], str(row["viewers"]), figure(row["cpu_s_per_gb"], 2), figure(row.get("bare_cpu_s_per_gb"), 2),
        figure(row["cores"], 2),
        figure(row["packets_per_core_s"], 0), figure(row["kb_per_viewer"], 0),
        pair(row["joined"]["first_packet_ms"], "p50", "p95"), pair(row["joined"]["first_keyframe_ms"], "p50", "p95"),
        pair(row["latency_inter_ms"], "p50", "p99"), pair(row["latency_keyframe_ms"], "p50", "p99"), str(row["lost"]),
    ])


def compare(rows: list[dict[str, Any]]) -> None:
    """Ratios to MediaMTX: of the same sitting where it ran, otherwise of the recorded figures."""
    ours = {row["viewers"]: row for row in rows if row["server"] == "signalbox"}
    theirs = {row["viewers"]: row for row in rows if row["server"] == "mediamtx"}
    for viewers, row in theirs.items():
        for key, what in [("cpu_s_per_gb", "CPU per GB"), ("kb_per_viewer", "memory per viewer")]:
            if row[key] and ours[viewers][key]:
                print(f"MediaMTX / Signalbox, {viewers} viewers, {what}: {row[key] / ours[viewers][key]:.1f}")
    if not theirs and 100 in ours:
        row = ours[100]
        print("\nAgainst MediaMTX 1.20 as recorded on a quiet machine of two cores (MEDIAMTX=path measures it here):")
        for key, what in [("cpu_s_per_gb", "CPU seconds per GB"), ("kb_per_viewer", "kB per viewer")]:
            if row[key]:
                print(f"  {what}: {figure(RECORDED[key])} recorded, {figure(row[key])} here")
        for key, what in [("first_packet_ms", "offer to first RTP"), ("first_keyframe_ms", "offer to first keyframe")]:
            median, late = RECORDED[key]
            print(f"  {what}, ms: {median} / {late} recorded, {pair(row['joined'][key], 'p50', 'p95')} here")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=["micro", "fanout", "ingest"])
    parser.add_argument("--binaries", type=pathlib.Path, default=ROOT / ".build" / "release")
    parser.add_argument("--viewers", type=lambda text: [int(part) for part in text.split(",")], default=[1, 10, 100, 500])
    parser.add_argument("--cameras", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20, help="of every measurement")
    parser.add_argument("--interval", type=int, default=20, help="milliseconds between two joins")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / ".build" / "bench.json")
    options = parser.parse_args()
    bench = Bench(options)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load average {load:.1f}" + (": not a quiet machine" if load > 0.5 else ""))
    results: dict[str, Any] = {"cores": os.cpu_count(), "load_average": load}
    if options.only in (None, "micro"):
        results["micro"] = bench.micro()
    if options.only in (None, "fanout"):
        results["fanout"] = bench.fanouts()
        compare(results["fanout"])
    if options.only in (None, "ingest"):
        results["ingest"] = bench.ingest()
        done()
        row = results["ingest"]
        print(
            f"\ningest: {row['cameras']} cameras cost {row['ms_per_camera_s']:.2f} ms of CPU a camera and second"
            f" ({row['bare_ms_per_camera_s']:.2f} to wait for them and read alone; MediaMTX recorded:"
            f" {RECORDED['ingest_ms']}) and {row['kb_per_camera']:.0f} kB each, of which"
            f" {row['cached_kb_per_camera']:.0f} are pictures kept for the next viewer"
        )
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(results, indent=2))
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
