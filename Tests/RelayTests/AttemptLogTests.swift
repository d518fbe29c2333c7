import Testing

@testable import Relay

/// The memory of ended sessions: an hour, bounded in number and bytes.
struct AttemptLogTests {
    private func attempt(
        _ viewer: String,
        endedAt: Int64 = 0,
        rule: Verdict.Rule = .clientLeft,
        control: ControlChannel = .page,
        remote: String = "192.0.2.1",
        pairs: Int = 0,
        text: String = "",
        severity: Severity = .ok,
        hadMedia: Bool = true
    ) -> AttemptSnapshot {
        var attempt = AttemptSnapshot(
            viewer: viewer,
            number: 1,
            camera: "gate",
            control: control,
            startedAt: endedAt - 1,
            endedAt: endedAt,
            verdict: Verdict(rule, severity, nil, text)
        )
        attempt.client = "Chrome 141"
        attempt.remote = remote
        attempt.ladder = hadMedia ? [.init(name: "first RR", after: 1)] : []
        attempt.pairs = (0..<pairs).map {
            PairSnapshot(
                id: "\(viewer)/\($0)",
                viewer: viewer,
                camera: "gate",
                local: String(repeating: "l", count: 30),
                remote: String(repeating: "r", count: 500),
                transport: "udp",
                state: "waiting"
            )
        }
        return attempt
    }

    @Test func `the newest come first, as many as were asked for, of one viewer if so`() {
        let log = AttemptLog()
        for number in 0..<20 { log.append(attempt("v\(number % 4)", endedAt: Int64(number))) }
        #expect(log.newest(AttemptsRequest(limit: 3), now: 20).map(\.endedAt) == [19, 18, 17])
        #expect(log.newest(AttemptsRequest(viewer: "v1"), now: 20).map(\.endedAt) == [17, 13, 9, 5, 1])
        #expect(log.newest(AttemptsRequest(limit: -5), now: 20).count == 1)
        #expect(log.newest(AttemptsRequest(), now: 20).map(\.id) == (1...20).reversed().map { UInt64($0) })
    }

    @Test func `an hour later they are forgotten, asked or not`() {
        let log = AttemptLog()
        log.append(attempt("a", endedAt: 0))
        log.append(attempt("b", endedAt: 1_000))
        #expect(log.newest(AttemptsRequest(), now: 3_600_000).count == 2)
        #expect(log.newest(AttemptsRequest(), now: 3_600_001).map(\.viewer) == ["b"])
        log.append(attempt("c", endedAt: 3_600_500))
        #expect(log.newest(AttemptsRequest(), now: 1_000).map(\.viewer) == ["c", "b"])
    }

    @Test func `their number is bounded`() {
        let log = AttemptLog()
        for number in 0..<(AttemptLog.capacity + 10) { log.append(attempt("v\(number)")) }
        #expect(log.newest(AttemptsRequest(viewer: "v9"), now: 0).isEmpty)
        #expect(log.newest(AttemptsRequest(viewer: "v10"), now: 0).count == 1)
        #expect(log.newest(AttemptsRequest(limit: .max), now: 0).count == AttemptsRequest.limit)
    }

    @Test func `sessions with which nothing was wrong make room first`() {
        let log = AttemptLog()
        log.append(attempt("failed", severity: .warning))
        for number in 0..<AttemptLog.capacity { log.append(attempt("v\(number)")) }
        #expect(log.newest(AttemptsRequest(viewer: "failed"), now: 0).count == 1)
        #expect(log.newest(AttemptsRequest(viewer: "v0"), now: 0).isEmpty)
        for number in 0..<AttemptLog.capacity { log.append(attempt("w\(number)", severity: .warning)) }
        #expect(log.newest(AttemptsRequest(viewer: "failed"), now: 0).isEmpty)
        // Of those in order a share stays, the newest, so that the next one is to be found.
        #expect(log.newest(AttemptsRequest(viewer: "v\(AttemptLog.capacity - 1)"), now: 0).count == 1)
        log.append(attempt("good"))
        #expect(log.newest(AttemptsRequest(limit: 1), now: 0).map(\.viewer) == ["good"])
    }

    @Test func `a client that fails in ever new ways pushes out what it had before, and nothing else`() {
        let log = AttemptLog()
        log.append(attempt("watched"))
        log.append(attempt("failed", rule: .udpBlocked, remote: "192.0.2.2", severity: .warning, hadMedia: false))
        for number in 0..<5_000 {
            log.append(
                attempt(
                    "v\(number)",
                    rule: .refused,
                    control: .whep,
                    remote: "203.0.113.9",
                    text: "the browser offers H\(number)",
                    severity: .warning,
                    hadMedia: false
                )
            )
        }
        let kept = log.newest(AttemptsRequest(), now: 0)
        #expect(kept.count == AttemptLog.failuresOfAddress + 2)
        #expect(kept.suffix(2).map(\.viewer) == ["failed", "watched"])
    }

    @Test func `their bytes are bounded, however long the names that clients invent`() {
        let log = AttemptLog()
        let large = attempt("v", pairs: 64)
        let fits = AttemptLog.byteLimit / AttemptLog.size(of: large)
        #expect(AttemptLog.size(of: large) > 64 * 500)
        for number in 0..<(2 * fits) { log.append(attempt("v\(number)", pairs: 64)) }
        let kept = (0..<(2 * fits)).count { !log.newest(AttemptsRequest(viewer: "v\($0)"), now: 0).isEmpty }
        #expect(kept <= fits && kept >= fits - 2)
    }

    @Test func `what fails again in the same way is counted, not piled up`() {
        let log = AttemptLog()
        func fail(_ viewer: String, _ rule: Verdict.Rule, control: ControlChannel = .page, from: String = "192.0.2.1") {
            log.append(attempt(viewer, rule: rule, control: control, remote: from, hadMedia: false))
        }
        for _ in 0..<3 { fail("a", .udpBlocked) }
        fail("b", .udpBlocked)
        fail("a", .dtlsStalled)
        fail("a", .udpBlocked)
        let kept = log.newest(AttemptsRequest(), now: 0)
        #expect(kept.map(\.viewer) == ["a", "a", "b", "a"])
        #expect(kept.map(\.repeats) == [0, 0, 0, 2])
        // A bare player has a new name every time.
        fail("x1", .refused, control: .whep)
        fail("x2", .refused, control: .whep)
        fail("x3", .refused, control: .whep, from: "192.0.2.9")
        let bare = log.newest(AttemptsRequest(limit: 2), now: 0)
        #expect(bare.map(\.viewer) == ["x3", "x2"] && bare.map(\.repeats) == [0, 1])
    }

    @Test func `clients turned away are counted by address, and push out nobody but each other`() {
        let log = AttemptLog()
        log.append(attempt("v", rule: .udpBlocked, severity: .warning, hadMedia: false))
        func turnAway(_ remote: String, _ viewer: String, _ text: String) {
            let control: ControlChannel = viewer == "-" ? .page : .whep
            log.append(
                attempt(
                    viewer,
                    rule: .turnedAway,
                    control: control,
                    remote: remote,
                    text: text,
                    severity: .warning,
                    hadMedia: false
                )
            )
        }
        turnAway("2001:db8::1", "-", "90 ms late")
        turnAway("2001:db8::2", "v1", "256 sessions")
        turnAway("2001:db8:0:1::1", "-", "91 ms late")
        let kept = log.newest(AttemptsRequest(), now: 0)
        #expect(kept.map(\.remote) == ["2001:db8:0:1::1", "2001:db8::2", "192.0.2.1"])
        #expect(kept.map(\.repeats) == [0, 1, 0] && kept[1].verdict.text == "256 sessions")
        for number in 0..<5_000 { turnAway("203.\(number / 250).113.\(number % 250)", "-", "full") }
        let all = log.newest(AttemptsRequest(), now: 0)
        #expect(all.count == AttemptLog.turnedAwayCapacity + 1)
        #expect(all.last?.viewer == "v" && all.first?.remote == "203.19.113.249")
    }

    @Test func `offers refused for different reasons stay apart`() {
        let log = AttemptLog()
        for text in ["no m-line receives", "no m-line receives", "only VP8"] {
            log.append(attempt("x", rule: .refused, control: .whep, text: text, hadMedia: false))
        }
        let kept = log.newest(AttemptsRequest(), now: 0)
        #expect(kept.map(\.verdict.text) == ["only VP8", "no m-line receives"] && kept.map(\.repeats) == [0, 1])
    }

    @Test func `sessions that showed a picture are kept one by one`() {
        let log = AttemptLog()
        for _ in 0..<3 { log.append(attempt("a")) }
        #expect(log.newest(AttemptsRequest(), now: 0).map(\.repeats) == [0, 0, 0])
    }
}
