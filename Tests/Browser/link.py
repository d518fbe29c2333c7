"""User-space links: for UDP between browsers and the relay's media port with delay, loss, a rate with a queue, or
silence, and for TCP one that can stop or be cut.

The kernel of a test machine need not have netem, and every test has a link of its own.
"""

from __future__ import annotations

import contextlib
import heapq
import random
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Direction:
    """What datagrams one way go through."""

    delay: float = 0.0
    """Seconds."""
    loss: float = 0.0
    """Share lost at random, 0 to 1."""
    rate: float | None = None
    """Bits per second."""
    queue: float = 0.3
    """Seconds at `rate` that wait before more is dropped."""
    isSilent: bool = False
    """Nothing passes."""
    free_at: float = 0.0
    passed: int = 0
    dropped: int = 0
    seconds: dict[int, int] = field(default_factory=dict)
    """Bytes passed in each second of the monotonic clock."""

    def arrival(self, count: int, now: float, chance: random.Random) -> float | None:
        """When a datagram sent at `now` arrives; None when it does not."""
        if self.isSilent or chance.random() < self.loss:
            self.dropped += 1
            return None
        leaves = now
        if self.rate:
            begins = max(self.free_at, now)
            if begins - now > self.queue:
                self.dropped += 1
                return None
            # Headers of UDP and IP are carried, too.
            leaves = self.free_at = begins + (count + 28) * 8 / self.rate
        self.passed += 1
        self.seconds[int(now)] = self.seconds.get(int(now), 0) + count
        return leaves + self.delay


class UDPLink:
    """Forwards datagrams to the relay, from one address of its own for each client."""

    def __init__(self, relay: str, seed: int = 1, **options: Any) -> None:
        host, port = relay.rsplit(":", 1)
        self.relay = (host, int(port))
        self.down = Direction(**options)
        self.up = Direction(delay=self.down.delay, loss=self.down.loss)
        self._chance = random.Random(seed)
        self._front = self._socket()
        self.port = self._front.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._clients: dict[Any, socket.socket] = {}
        self._due: list[tuple[float, int, socket.socket, bytes, Any]] = []
        self._order = 0
        self._is_open = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _socket(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made

    def script(self) -> str:
        """For the page: its only candidate of the relay is this link, and it knows of no TURN server."""
        host, port = self.relay
        return f"""
            (() => {{
                const Native = RTCPeerConnection;
                window.RTCPeerConnection = class extends Native {{
                    constructor(configuration) {{ super({{ ...configuration, iceServers: [] }}); }}
                    setConfiguration(configuration) {{
                        super.setConfiguration({{ ...configuration, iceServers: [] }});
                    }}
                    setRemoteDescription(description) {{
                        const sdp = description.sdp.replace(/^a=candidate:.*\\r?\\n/gm, (line) =>
                            / udp /i.test(line) && line.includes(" {host} {port} typ host")
                                ? line.replace(" {host} {port} ", " 127.0.0.1 {self.port} ") : "");
                        return super.setRemoteDescription({{ type: description.type, sdp }});
                    }}
                    addIceCandidate() {{ return Promise.resolve(); }}
                }};
            }})();
        """

    def _run(self) -> None:
        while self._is_open:
            wait = max(0.0, min(0.05, self._due[0][0] - time.monotonic())) if self._due else 0.05
            for key, _ in self._selector.select(wait):
                self._receive(key.fileobj, key.data)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, _, out, data, to = heapq.heappop(self._due)
                try:
                    out.sendto(data, to)
                except OSError:
                    continue

    def _receive(self, arrived: Any, client: Any) -> None:
        while True:
            try:
                data, sender = arrived.recvfrom(65536)
            except (BlockingIOError, ConnectionError):
                return
            now = time.monotonic()
            if client is None:
                out, to, way = self._upstream(sender), self.relay, self.up
            else:
                out, to, way = self._front, client, self.down
            at = way.arrival(len(data), now, self._chance)
            if at is not None:
                self._order += 1
                heapq.heappush(self._due, (at, self._order, out, data, to))

    def _upstream(self, client: Any) -> socket.socket:
        if client not in self._clients:
            made = self._socket()
            self._clients[client] = made
            self._selector.register(made, selectors.EVENT_READ, client)
        return self._clients[client]

    def close(self) -> None:
        self._is_open = False
        self._thread.join(2)
        self._selector.close()
        for one in [self._front, *self._clients.values()]:
            one.close()


class TCPLink:
    """Forwards connections to a server until they are cut."""

    def __init__(self, server: str) -> None:
        host, port = server.rsplit(":", 1)
        self.server = (host, int(port))
        self.accepted = 0
        self._front = socket.create_server(("127.0.0.1", 0))
        self.port = self._front.getsockname()[1]
        self._reads = threading.Event()
        self._reads.set()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def script(self) -> str:
        """For the page: its only candidate of the relay is this link, by ICE over TCP."""
        host, port = self.server
        return f"""
            (() => {{
                const Native = RTCPeerConnection;
                window.RTCPeerConnection = class extends Native {{
                    constructor(configuration) {{ super({{ ...configuration, iceServers: [] }}); }}
                    setConfiguration(configuration) {{
                        super.setConfiguration({{ ...configuration, iceServers: [] }});
                    }}
                    setRemoteDescription(description) {{
                        const sdp = description.sdp.replace(/^a=candidate:.*\\r?\\n/gm, (line) =>
                            / tcp /i.test(line) && line.includes(" {host} {port} typ host")
                                ? line.replace(" {host} {port} ", " 127.0.0.1 {self.port} ") : "");
                        return super.setRemoteDescription({{ type: description.type, sdp }});
                    }}
                    addIceCandidate() {{ return Promise.resolve(); }}
                }};
            }})();
        """

    def stop_reading(self) -> None:
        """Takes nothing more from the server."""
        self._reads.clear()

    def read(self) -> None:
        """Takes from the server again."""
        self._reads.set()

    def cut(self) -> None:
        """Ends all connections, as a switch that loses power and comes back does."""
        connections, self._open = self._open, []
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._front.accept()
            except OSError:
                return
            server = socket.socket()
            # What the kernel keeps for a reader that has stopped is lost to nobody's sight; it shall not be much.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            try:
                server.connect(self.server)
            except OSError:
                client.close()
                continue
            self.accepted += 1
            self._open += [client, server]
            for source, target, gate in ((client, server, None), (server, client, self._reads)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._forward, args=(source, target, gate), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, gate: threading.Event | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                if gate:
                    gate.wait()
        for connection in (source, target):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._front.close()
        self._reads.set()
        self.cut()
