"""A viewer that misbehaves: aiortc's, with hands on everything it sends, and sockets that never were anybody's."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import pathlib
import socket
import ssl
import struct
import time
import urllib.error
import urllib.request
import zlib
from typing import Any, Awaitable, Callable

USERNAME, INTEGRITY, XOR_MAPPED, PRIORITY, USE_CANDIDATE, CONTROLLING = 0x0006, 0x0008, 0x0020, 0x0024, 0x0025, 0x802A
SUCCESS, ERROR = 0x0101, 0x0111


def stun(attributes: list[tuple[int, bytes]], key: bytes | None = None, kind: int = 0x0001, fingerprint: bool = True) -> bytes:
    """A STUN message (RFC 8489 §5), with its integrity made by `key`."""

    def attribute(number: int, value: bytes) -> bytes:
        return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)

    def head(length: int) -> bytes:
        return struct.pack("!HHI", kind, length, 0x2112A442) + identity

    identity = os.urandom(12)
    body = b"".join(attribute(number, value) for number, value in attributes)
    if key is not None:
        digest = hmac.new(key, head(len(body) + 24) + body, hashlib.sha1).digest()
        body += attribute(INTEGRITY, digest)
    if fingerprint:
        checksum = zlib.crc32(head(len(body) + 8) + body) ^ 0x5354554E
        body += attribute(0x8028, struct.pack("!I", checksum))
    return head(len(body)) + body


def signed_by(message: bytes, key: bytes) -> bool:
    """Whether the MESSAGE-INTEGRITY of a STUN message was made by `key`."""
    position = 20
    while position + 4 <= len(message):
        number, length = struct.unpack_from("!HH", message, position)
        if number == INTEGRITY:
            signed = message[:2] + struct.pack("!H", position + 4) + message[4:position]
            return hmac.new(key, signed, hashlib.sha1).digest() == message[position + 4 : position + 24]
        position += 4 + length + -length % 4
    return False


def alert(level: int, description: int) -> bytes:
    """A DTLS alert in plaintext."""
    return bytes([21, 0xFE, 0xFD, 0, 0]) + os.urandom(6) + bytes([0, 2, level, description])


def fragment(kind: int, number: int, length: int, offset: int, content: bytes, epoch: int = 0) -> bytes:
    """A DTLS record with one fragment of a handshake message (RFC 6347 §4.2.2)."""
    three = lambda value: value.to_bytes(3, "big")  # noqa: E731
    body = bytes([kind]) + three(length) + struct.pack("!H", number) + three(offset) + three(len(content)) + content
    return bytes([22, 0xFE, 0xFD]) + struct.pack("!H", epoch) + os.urandom(6) + struct.pack("!H", len(body)) + body


def hello_without_cipher() -> bytes:
    """A ClientHello whose only suite is TLS_NULL_WITH_NULL_NULL."""
    body = b"\xfe\xfd" + os.urandom(32) + b"\0\0" + b"\0\x02\0\0" + b"\x01\0"
    return fragment(1, 0, len(body), 0, body)


class Stranger:
    """A UDP socket that talks to the media port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)

    def send(self, datagram: bytes) -> None:
        try:
            self.socket.send(datagram)
        except (BlockingIOError, ConnectionRefusedError):
            time.sleep(0.001)

    def heard(self) -> list[bytes]:
        """What has come since the last call."""
        datagrams = []
        while True:
            try:
                datagrams.append(self.socket.recv(4096))
            except BlockingIOError:
                return datagrams

    def close(self) -> None:
        self.socket.close()


def post(url: str, offer: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """POSTs an offer; status, headers and body of whatever is answered."""
    fields = {"Content-Type": "application/sdp", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return request("POST", url, offer.encode(), fields)


def request(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    call = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(call, context=context, timeout=20) as response:
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode(errors="replace")


class HostileViewer:
    """A WHEP session of aiortc's; `frames` counts decoded pictures."""

    def __init__(
        self,
        url: str,
        before_dtls: Callable[["HostileViewer"], Awaitable[None]] | None = None,
        twist: Callable[[str], str] = lambda offer: offer,
    ) -> None:
        from aiortc import RTCConfiguration, RTCPeerConnection

        self.url = url
        self.before_dtls = before_dtls
        self.twist = twist
        self.frames = 0
        self.sent: list[bytes] = []
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTransceiver("video", direction="recvonly")
        self.connection.on("track", self._on_track)
        self.tasks: list[asyncio.Future] = []

    def _on_track(self, track: Any) -> None:
        async def receive() -> None:
            while True:
                await track.recv()
                self.frames += 1

        self.tasks.append(asyncio.ensure_future(receive()))

    async def connect(self) -> int:
        from aiortc import RTCSessionDescription

        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = self.twist(self.connection.localDescription.sdp)
        status, headers, answer = await asyncio.to_thread(post, self.url, offer)
        if status != 201:
            return status
        self.location = headers["Location"]
        self.tag = headers["ETag"]
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        # Nothing has run between here and there: the handshake has yet to begin.
        self.dtls = self.connection.getTransceivers()[0].receiver.transport
        begin = self.dtls.start

        async def start(parameters: Any) -> None:
            if self.before_dtls:
                await self.before_dtls(self)
            await begin(parameters)

        self.dtls.start = start
        send = self.dtls.transport._send

        async def note(data: bytes) -> None:
            self.sent.append(data)
            await send(data)

        self.dtls.transport._send = note
        return status

    async def give(self, datagram: bytes) -> None:
        """Sends on the path that ICE has chosen."""
        await self.dtls.transport._connection.send(datagram)

    async def give_rtcp(self, compound: bytes) -> None:
        """Sends RTCP under a tag that is right."""
        await self.give(self.dtls._tx_srtp.protect_rtcp(compound))

    def check(self, extra: list[tuple[int, bytes]] | None = None, key: bytes | None = None, nominate: bool = True) -> bytes:
        """A connectivity check as this viewer's browser would make it."""
        ice = self.dtls.transport._connection
        name = f"{ice.remote_username}:{ice.local_username}".encode()
        attributes = [(USERNAME, name), (PRIORITY, struct.pack("!I", 0x7EFFFFFF)), (CONTROLLING, os.urandom(8))]
        if nominate:
            attributes.append((USE_CANDIDATE, b""))
        return stun(attributes + (extra or []), ice.remote_password.encode() if key is None else key)

    async def see(self, frames: int, within: float = 15) -> float:
        """Waits for so many more pictures; the time it took."""
        begun, wanted = time.monotonic(), self.frames + frames
        while self.frames < wanted:
            assert time.monotonic() - begun < within, f"{self.frames} of {wanted} pictures in {within} s"
            await asyncio.sleep(0.02)
        return time.monotonic() - begun

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.connection.close()


def resident(pid: int) -> int:
    """Bytes of memory a process has."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
