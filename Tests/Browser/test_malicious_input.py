"""What the media port and WHEP are to bear from anybody, against the running program.

Every case asserts an outcome and that the viewer beside it goes on as if nothing were.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time

import pytest

from harness import cpu_seconds, eventually, report, throughout
from hostile import (
    ERROR,
    SUCCESS,
    USERNAME,
    XOR_MAPPED,
    HostileViewer,
    Stranger,
    alert,
    fragment,
    hello_without_cipher,
    post,
    request,
    resident,
    stun,
)
from test_switching import camera_configuration

SHORT = struct.pack


@pytest.fixture
def stage(start):
    """A relay with one live camera."""

    class Stage:
        def __init__(self) -> None:
            demo = start.demo("--cameras", "1")
            self.relay = start.relay({"clock": camera_configuration(demo)})
            self.relay.wait_for_camera("clock")
            self.url = f"{self.relay.page}/clock/whep"
            self.port = int(self.relay.listener("media/udp").rsplit(":", 1)[1])
            self.pid = self.relay.process.pid
            self.strangers: list[Stranger] = []

        def stranger(self) -> Stranger:
            self.strangers.append(Stranger(self.port))
            return self.strangers[-1]

        def log_lines(self) -> int:
            with open(self.relay.log.name) as log:
                return len(log.readlines())

    made = Stage()
    yield made
    for stranger in made.strangers:
        stranger.close()


async def playing(stage, **options) -> HostileViewer:
    viewer = HostileViewer(stage.url, **options)
    assert await viewer.connect() == 201
    await viewer.see(10, within=20)
    return viewer


def test_what_strangers_send_to_the_media_port_gets_no_answer_and_leaves_no_state(stage) -> None:
    async def scenario() -> None:
        viewer = await playing(stage)
        pairs, lines, before = len(stage.relay.snapshot()["pairs"]), stage.log_lines(), resident(stage.pid)
        strangers = [stage.stranger() for _ in range(50)]
        name = viewer.check()  # Warm; a right one, never sent by a stranger here.
        unknown = stun([(USERNAME, b"nobody12:x9Qf")], b"some password that is long enough")
        kinds = {
            "runts of every first byte": [bytes([first]) + bytes(length) for first in range(256) for length in range(19)],
            "STUN with a length that is not a multiple of four": [unknown[:2] + SHORT("!H", 3) + unknown[4:]] * 100,
            "STUN with a length that is not the datagram's": [unknown[:2] + SHORT("!H", 400) + unknown[4:]] * 100,
            "STUN for an unknown name": [unknown] * 20_000,
            "a right name and a wrong integrity": [viewer.check(key=b"wrong")] * 1_000,
            "a right name and no integrity": [stun([(USERNAME, name[24:40])])] * 100,
            "an address of family 3": [stun([(USERNAME, b"a:b"), (XOR_MAPPED, b"\0\x03\0\0\0\0\0\0")])] * 100,
            "ClientHellos": [hello_without_cipher()] * 500,
            "alerts": [alert(2, 40), alert(1, 0)] * 500,
            "RTP and RTCP": [bytes([0x80, kind]) + os.urandom(60) for kind in range(256)] * 4,
            "channel data of nobody": [SHORT("!HH", 0x4001, 20) + bytes(20)] * 100,
        }
        for kind, datagrams in kinds.items():
            def flood() -> None:
                for index, datagram in enumerate(datagrams):
                    strangers[index % len(strangers)].send(datagram)

            begun, used = time.monotonic(), cpu_seconds(stage.pid)
            await asyncio.to_thread(flood)
            await viewer.see(5)
            answers = [answer for stranger in strangers for answer in stranger.heard()]
            assert not answers, f"{kind}: {answers[:3]}"
            report(f"{kind}: {len(datagrams)} in {time.monotonic() - begun:.1f} s, {cpu_seconds(stage.pid) - used:.2f} s CPU")
        snapshot = stage.relay.snapshot()
        assert len(snapshot["pairs"]) == pairs
        assert len(snapshot["viewers"]) == 1
        assert stage.log_lines() - lines < 20, "a line per datagram fills disks"
        grown = (resident(stage.pid) - before) / 1_048_576
        report(f"strangers: {grown:.1f} MB more")
        assert grown < 24
        await viewer.close()

    asyncio.run(scenario())


def test_replayed_and_odd_checks_move_no_media(stage) -> None:
    async def scenario() -> None:
        viewer = await playing(stage)
        thief = stage.stranger()
        captured = viewer.check()
        # Ten a second: what is answered depends on the pace.
        for _ in range(40):
            thief.send(captured)
            await asyncio.sleep(0.1)
        heard = thief.heard()
        kinds = [int.from_bytes(datagram[:2], "big") for datagram in heard]
        report(f"a check replayed 40 times in 4 s: {kinds.count(SUCCESS)} answers, {kinds.count(1)} checks")
        assert all(datagram[0] < 4 for datagram in heard), "media or DTLS went to the thief"
        # Five at once and five a second.
        assert 0 < kinds.count(SUCCESS) <= 5 + 5 * 4.5
        assert sum(map(len, heard)) <= 40 * len(captured)
        await viewer.see(25, within=10)

        thief.send(viewer.check([(0x7001, b"")]))
        thief.send(viewer.check([(0x7001, b"")], key=b"wrong"))
        thief.send(viewer.check([(0x8100 + number, b"") for number in range(200)]))
        thief.send(viewer.check([(XOR_MAPPED, b"\0\x03\0\0\0\0\0\0")]))
        thief.send(viewer.check([(XOR_MAPPED, b"\0\x02\0\0" + bytes(8))]))
        # Pictures that came after them show that the relay has dealt with them.
        await viewer.see(10)
        kinds = [int.from_bytes(datagram[:2], "big") for datagram in thief.heard()]
        assert kinds.count(ERROR) == 1, "420 for the authentic one, silence for the others"
        assert kinds.count(SUCCESS) == 0
        await viewer.see(10)
        await viewer.close()

    asyncio.run(scenario())


def test_connections_to_the_media_port_that_come_to_nothing_are_closed_in_five_seconds(stage) -> None:
    check = stun([(USERNAME, b"nobody12:x9Qf")], b"some password that is long enough")
    frame = SHORT("!H", len(check)) + check
    kinds = {
        "nothing": (b"", False),
        "a frame of 65,535 bytes, then a byte a second": (b"\xff\xff\0", True),
        "a frame of 4,095 bytes, then a byte a second": (b"\x0f\xff\0", True),
        "HTTP": (b"GET / HTTP/1.1\r\n\r\n", False),
        "TLS": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", False),
        "a frame of zeros": (SHORT("!H", 100) + bytes(100), False),
        "a check of nobody's": (frame, False),
        "checks of nobody's, without end": (frame * 200, True),
    }

    async def last(kind: str, first: bytes, goes_on: bool) -> tuple[str, float, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        begun, heard = time.monotonic(), b""
        try:
            writer.write(first)
            while time.monotonic() - begun < 9:
                try:
                    chunk = await asyncio.wait_for(reader.read(1_000), 1)
                except TimeoutError:
                    if goes_on:
                        writer.write(first[-1:])
                    continue
                if not chunk:
                    break
                heard += chunk
        except ConnectionError:
            pass
        writer.close()
        return kind, time.monotonic() - begun, heard

    async def scenario() -> None:
        viewer = await playing(stage)
        before = resident(stage.pid)
        ends = await asyncio.gather(*(last(kind, *what) for kind, what in kinds.items() for _ in range(25)))
        for kind in kinds:
            took = [seconds for name, seconds, _ in ends if name == kind]
            report(f"{kind}: closed after {min(took):.1f} to {max(took):.1f} s")
            assert max(took) < 6.5, kind
        assert not [heard for _, _, heard in ends if heard], "a stranger was answered"
        for kind in ["HTTP", "TLS", "a frame of 65,535 bytes, then a byte a second", "a frame of zeros"]:
            assert max(seconds for name, seconds, _ in ends if name == kind) < 3, kind
        grown = (resident(stage.pid) - before) / 1_048_576
        report(f"200 connections: {grown:.1f} MB more")
        assert grown < 16
        await viewer.see(10)
        await viewer.close()

    asyncio.run(scenario())


def test_offers_that_nobody_follows_up_take_so_much_and_no_more(stage) -> None:
    before, begun, refused = resident(stage.pid), time.monotonic(), {}
    for number in range(320):
        status, headers, body = post(stage.url, OFFER.replace("x9Qf", f"x{number:03}"))
        if status != 201:
            # On a busy machine all offers may be refused for a while.
            reason = {429: "yet to connect", 503: "overloaded"}.get(status, "another status")
            assert reason in body and int(headers["Retry-After"]) <= 15, (status, body)
            refused[number] = status
    took = time.monotonic() - begun
    pending = len(stage.relay.viewers())
    grown = (resident(stage.pid) - before) / 1_048_576
    report(f"320 offers in {took:.0f} s: {pending} wait to connect, {len(refused)} refused, {grown:.1f} MB more")
    # One that has had ten seconds makes room for another, so that on a slow machine none may be refused.
    assert pending <= 256 and (refused or took > 10)
    assert grown < 48

    async def scenario() -> None:
        # Whoever means it gets the place of one that had ten seconds; until then it asks every second.
        asked = time.monotonic()
        while True:
            viewer = HostileViewer(stage.url)
            status = await viewer.connect()
            if status not in (429, 503) or time.monotonic() > asked + 30:
                break
            await viewer.close()
            await asyncio.sleep(1)
        assert status == 201
        report(f"a place among them after {time.monotonic() - asked:.0f} s")
        await viewer.see(1, within=20)
        await viewer.close()

    asyncio.run(scenario())
    eventually(lambda: not stage.relay.viewers(), 40, "all of them are gone")


def test_handshakes_survive_whoever_races_them(stage) -> None:
    async def mischief(viewer: HostileViewer) -> None:
        await viewer.give(hello_without_cipher())
        await viewer.give(alert(2, 40))
        for number in range(12):
            await viewer.give(fragment(11, number, 0xFFFFFF, 0, b"x"))
            await viewer.give(fragment(11, 8 + number, 8_000, 7_000, bytes(100)))
        for _ in range(120):
            await viewer.give(fragment(20, 5, 12, 0, bytes(12), epoch=1))
            await viewer.give(fragment(20, 5, 12, 0, bytes(12), epoch=2))

    async def scenario() -> None:
        strangers = [stage.stranger() for _ in range(4)]
        stop = asyncio.Event()

        async def race() -> None:
            while not stop.is_set():
                for stranger in strangers:
                    stranger.send(hello_without_cipher())
                    stranger.send(alert(2, 0))
                await asyncio.sleep(0.005)

        racer = asyncio.ensure_future(race())
        for round_number in range(6):
            viewer = HostileViewer(stage.url, before_dtls=mischief if round_number % 2 else None)
            assert await viewer.connect() == 201
            await viewer.see(1, within=20)
            assert not [datagram for stranger in strangers for datagram in stranger.heard()]
            await viewer.close()
        stop.set()
        await racer

        # A client that spoils its own messages gets no session, and hurts nobody.
        async def poison(viewer: HostileViewer) -> None:
            for number in range(8):
                await viewer.give(fragment(11, number, 8_000, 7_000, bytes(100)))
            for _ in range(80):
                await viewer.give(fragment(1, 0, 8_000, 0, bytes(1_000)))

        spoilt = HostileViewer(stage.url, before_dtls=poison)
        assert await spoilt.connect() == 201
        beside = await playing(stage)
        assert spoilt.frames == 0
        await beside.see(10)
        await spoilt.close()
        await beside.close()

    before = resident(stage.pid)
    asyncio.run(scenario())
    eventually(lambda: not stage.relay.viewers(), 40, "every viewer is gone")
    grown = (resident(stage.pid) - before) / 1_048_576
    report(f"six raced handshakes: {grown:.1f} MB more")
    assert grown < 24


def test_a_certificate_that_the_offer_did_not_promise_gets_no_media(stage) -> None:
    async def scenario() -> None:
        def twist(offer: str) -> str:
            lines = ["a=fingerprint:sha-256 " + ":".join(["AB"] * 32) if "a=fingerprint:" in line else line
                     for line in offer.split("\r\n")]
            return "\r\n".join(lines)

        viewer = HostileViewer(stage.url, twist=twist)
        assert await viewer.connect() == 201
        await asyncio.to_thread(eventually, lambda: not stage.relay.viewers(), 20, "the relay ends the viewer")
        assert viewer.frames == 0
        await viewer.close()

    asyncio.run(scenario())


def test_what_a_viewer_with_keys_sends_harms_nobody(stage) -> None:
    async def scenario() -> None:
        viewer = await playing(stage)
        other = await playing(stage)
        lines = stage.log_lines()

        async def many(datagrams: list[bytes], what: str) -> None:
            begun, used, seen = time.monotonic(), cpu_seconds(stage.pid), other.frames
            for index, datagram in enumerate(datagrams):
                await viewer.give(datagram)
                if index % 200 == 0:
                    await asyncio.sleep(0.001)
            took = time.monotonic() - begun
            await other.see(3)
            cost = (cpu_seconds(stage.pid) - used) / len(datagrams) * 1e6
            report(f"{what}: {len(datagrams)} in {took:.1f} s, {cost:.0f} us CPU each, the other saw {other.frames - seen}")

        await many([bytes([0x80, 201]) + os.urandom(40) for _ in range(10_000)], "SRTCP with a wrong tag")
        await many([bytes([0x80, 96]) + os.urandom(900) for _ in range(10_000)], "SRTP with a wrong tag")
        genuine: list[bytes] = []
        for _ in range(80):
            genuine = [datagram for datagram in viewer.sent if datagram[0] >= 128 and 192 <= datagram[1] <= 223]
            if genuine:
                break
            await asyncio.sleep(0.1)
        assert genuine, "aiortc has reported"
        await many(genuine[:1] * 10_000, "a replayed report")
        await many([alert(2, 40), alert(1, 0)] * 200, "plaintext alerts on the viewer's own path")

        ssrc = int(viewer.connection.remoteDescription.sdp.split("a=ssrc:")[1].split(" ")[0])
        head = SHORT("!II", 1, ssrc)
        malformed = [
            b"\x80\xc9\xff\xff" + SHORT("!I", 1),
            b"\x81\xca\x00\x01" + SHORT("!I", 1),
            b"\x81\xcb\x00\x02" + SHORT("!I", 1) + b"\xffabc",
            b"\x80\xcf\x00\x03" + SHORT("!IBBHI", 1, 5, 0, 0xFFFF, 0),
            b"\x8f\xcd\x00\x04" + head + SHORT("!HHI", 0, 0xFFFF, 0),
            b"\x8f\xcd\x00\x08" + head + SHORT("!HHI", 0, 0xFFFF, 0) + b"\x1f\xff" * 8,
            b"\xa0\xc9\x00\x01" + SHORT("!I", 1),
            b"\x9f\xc9\x00\x01" + SHORT("!I", 1),
        ]
        for compound in malformed:
            for _ in range(20):
                await viewer.give_rtcp(compound)
        await other.see(5)
        await viewer.see(5)

        async def rate(seconds: float) -> float:
            async def received() -> int:
                stats = await viewer.connection.getStats()
                return next(entry.bytesReceived for entry in stats.values() if entry.type == "transport")

            before = await received()
            # The window that is measured.
            await asyncio.sleep(seconds)
            return (await received() - before) * 8 / seconds

        quiet = await rate(2)
        nack = b"".join(SHORT("!HH", first & 0xFFFF, 0xFFFF) for first in range(0, 512 * 17, 17))[:1_200]
        compound = SHORT("!BBH", 0x81, 205, (8 + len(nack)) // 4) + head + nack

        async def ask(compound: bytes, every: float) -> None:
            while True:
                await viewer.give_rtcp(compound)
                await asyncio.sleep(every)

        for what, compound, limit in [
            ("NACKs for all there is", compound, 2.0),
            ("PLIs", b"\x81\xce\x00\x02" + head, 4.0),
        ]:
            asking = asyncio.ensure_future(ask(compound, 0.001))
            loud = await rate(4)
            asking.cancel()
            report(f"{what} every ms: {quiet / 1e6:.2f} Mbit/s becomes {loud / 1e6:.2f}")
            assert loud <= max(quiet, 1e6) * limit, what
        await other.see(5)
        assert stage.log_lines() - lines < 20
        await viewer.close()
        await other.close()

    asyncio.run(scenario())


OFFER = "\r\n".join(
    ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "m=video 9 UDP/TLS/RTP/SAVPF 96",
     "c=IN IP4 0.0.0.0", "a=mid:0", "a=recvonly", "a=rtcp-mux", "a=ice-ufrag:x9Qf",
     "a=ice-pwd:asd88fgpdd777uzjYhagZg4T", "a=fingerprint:sha-256 " + ":".join(["AB"] * 32), "a=setup:actpass",
     "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f", ""]
)


IMPOSSIBLE = [
    ("nothing", "", 400),
    ("64 KiB and a byte", OFFER + "a=x:" + "y" * (65_537 - len(OFFER) - 4), 413),
    ("3,000 lines", OFFER + "a=x\r\n" * 3_000, 400),
    ("100 m-lines", OFFER + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 100, 400),
    ("no fingerprint", OFFER.replace("a=fingerprint", "a=x"), 400),
    ("a SHA-1 fingerprint", OFFER.replace("sha-256 " + ":".join(["AB"] * 32), "sha-1 " + ":".join(["AB"] * 20)), 400),
    ("a passive client", OFFER.replace("actpass", "passive"), 406),
    ("the same mid twice", OFFER + OFFER[OFFER.index("m=") :], 400),
    ("NUL", OFFER.replace("s=-", "s=\0"), 400),
    ("a broken m-line", OFFER + "m=audio 9\r\n", 400),
]


def test_offers_that_cannot_be_are_refused_with_a_reason(stage) -> None:
    wrong = []
    for what, offer, expected in IMPOSSIBLE:
        status, _, body = post(stage.url, offer)
        if status != expected or not body.strip():
            wrong.append((what, status, body))
    assert not wrong, wrong
    assert not stage.relay.viewers(), "no session is left behind"


def test_candidates_aim_us_at_nobody(stage) -> None:
    victim = stage.stranger()
    port = victim.socket.getsockname()[1]
    # Connected sockets hear only the media port, which is the one that must stay silent.
    lines = [f"a=candidate:{number} 1 udp {2_130_706_431 - number} 127.0.0.1 {port} typ host" for number in range(65)]
    lines += ["a=candidate:9 1 udp 1 127.0.0.1 0 typ host", "a=candidate:10 1 udp 1 255.255.255.255 9 typ host"]
    status, headers, _ = post(stage.url, OFFER + "\r\n".join(lines) + "\r\n")
    assert status == 201
    fragment_text = "a=ice-ufrag:x9Qf\r\na=ice-pwd:asd88fgpdd777uzjYhagZg4T\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n" + lines[0]
    origin = stage.url[: stage.url.index("/clock/")]
    fields = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": headers["ETag"]}
    for _ in range(50):
        status, _, body = request("PATCH", origin + headers["Location"], fragment_text.encode(), fields)
        assert status == 204, body
    throughout(lambda: victim.heard() == [], 3, "nothing is sent there")
    assert len(stage.relay.snapshot()["pairs"]) <= 33


def test_sessions_of_others_cannot_be_told_from_none(stage) -> None:
    status, headers, _ = post(stage.url, OFFER)
    assert status == 201
    origin = stage.url[: stage.url.index("/clock/")]
    identity = headers["Location"].rsplit("/", 1)[1]
    assert len(identity) >= 16, "the id can be guessed"
    fields = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
    for wrong in [identity[:-1] + ("a" if identity[-1] != "a" else "b"), "x", "..", identity + "/..", "%2e%2e", "a" * 300]:
        for method in ["DELETE", "PATCH"]:
            status, _, body = request(method, f"{origin}/clock/whep/{wrong}", b"", fields)
            assert status in (400, 404), (method, wrong, status, body)
    assert len(stage.relay.viewers()) == 1
    for origin_field in ["https://evil.example", "null"]:
        assert post(stage.url, OFFER, Origin=origin_field)[0] == 403
    assert request("DELETE", origin + headers["Location"])[0] == 200
    eventually(lambda: not stage.relay.viewers(), 5, "the session is ended")
