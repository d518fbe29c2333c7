import ICE
import RTSP
import Relay
import Testing
import Wire

extension CameraConfiguration {
    /// A camera at `rtsp://NAME/stream`.
    static func scripted(
        _ name: String,
        password: String? = nil,
        delivery: DeliveryPolicy = .auto,
        onDemand: Bool = false
    ) throws -> CameraConfiguration {
        CameraConfiguration(
            name: name,
            source: try RTSPURL(parsing: "rtsp://\(name)/stream"),
            user: password == nil ? nil : "relay",
            password: password.map { Secret($0) },
            delivery: delivery,
            onDemand: onDemand
        )
    }
}

/// What viewers, operators and onlookers do.
extension World {
    func camera(_ name: String = "gate") throws -> CameraSnapshot {
        try #require(snapshot.cameras.first { $0.id == name })
    }

    func viewer(_ id: String) throws -> ViewerSnapshot {
        try #require(snapshot.viewers.first { $0.id == id })
    }

    func operation(_ id: String) throws -> OperationSnapshot {
        try #require(snapshot.operations.first { $0.id == id })
    }

    func state(_ name: String = "gate") -> CameraState? {
        snapshot.cameras.first { $0.id == name }?.state
    }

    /// Lets the camera become live.
    func becomeLive(_ name: String = "gate") throws {
        try run(atMost: .seconds(5)) { state(name) == .live }
    }

    @discardableResult
    func join(
        _ camera: String = "gate",
        control: ControlChannel = .page,
        resume: String? = nil,
        from remote: String = "198.51.100.7"
    ) throws -> String {
        let request = JoinRequest(
            camera: camera,
            control: control,
            remote: try #require(IPAddress(remote)),
            userAgent: "Mozilla/5.0 Chrome/141.0 Safari/537.36",
            resume: resume
        )
        let known = resume.flatMap { owns($0) ? self.shard(of: $0) : nil }
        let shard = known ?? (control != .hls && placement == .away ? away : self.shard)
        var result: Result<(id: String, channel: UInt64), ViewerRefusal>?
        input { now, effects in
            do throws(ViewerRefusal) {
                let joined = try shard.join(request, at: now, into: &effects)
                result = .success((joined.id, joined.channel))
                if control == .page { opened(joined.channel, of: joined.id) }
            } catch {
                result = .failure(error)
            }
        }
        return try #require(result).get().id
    }

    func offer(_ sdp: String = Offer.chrome(), viewer: String) throws -> String {
        var result: Result<String, ViewerRefusal>?
        input { now, effects in
            do throws(ViewerRefusal) {
                result = .success(try shard(of: viewer).offer(sdp, viewer: viewer, at: now, into: &effects))
                shard(of: viewer).answered(viewer: viewer, at: now)
            } catch {
                result = .failure(error)
            }
        }
        return try #require(result).get()
    }

    func restartICE(ufrag: String, pwd: String, viewer: String) throws -> String {
        var result: Result<String, ViewerRefusal>?
        input { now, effects in
            do throws(ViewerRefusal) {
                let fragment = try shard(of: viewer).restartICE(
                    ufrag: ufrag,
                    pwd: pwd,
                    viewer: viewer,
                    at: now,
                    into: &effects
                )
                result = .success(fragment)
            } catch {
                result = .failure(error)
            }
        }
        return try #require(result).get()
    }

    /// The connection by which the client came has closed.
    func closeConnection(_ path: FiveTuple, by end: ConnectionEnd = .client) {
        for shard in [shard, away] {
            input { shard.connectionClosed(path, by: end, at: $0, into: &$1) }
        }
    }

    func leave(_ viewer: String) {
        input { shard(of: viewer).leave(viewer: viewer, reason: "closed", at: $0, into: &$1) }
    }

    func closeControl(of viewer: String) throws {
        let channel = try #require(openChannels[viewer])
        input { shard(of: viewer).controlClosed(viewer: viewer, channel: channel, at: $0, into: &$1) }
    }

    /// Sessions that have ended, newest first.
    var endedSessions: [AttemptSnapshot] {
        let sinceStart = (now - Instant(nanoseconds: 100_000_000_000)).wholeNanoseconds / 1_000_000
        return ended.newest(AttemptsRequest(), now: Self.wallClockAtStart + sinceStart)
    }

    /// The page says how its WebRTC session fares.
    func report(viewer: String, playing: Delivery? = nil, peer change: (inout PeerReport) -> Void) {
        var report = ViewerReport()
        report.playing = playing
        var peer = PeerReport()
        change(&peer)
        report.peer = peer
        input { shard(of: viewer).report(report, viewer: viewer, at: $0, into: &$1) }
    }

    /// The page gives WebRTC up.
    func closePeer(_ viewer: String) { input { shard(of: viewer).closePeer(viewer: viewer, at: $0, into: &$1) } }

    /// Our TURN server turns the viewer away, whose credentials have run out.
    func credentialsExpire(_ viewer: String) { turnRefuses(.viewer(viewer), .expired) }

    /// Our TURN server turns somebody away.
    func turnRefuses(_ client: TURNRefusal.Client, _ reason: TURNRefusal.Reason) {
        for shard in [shard, away] { input { now, _ in shard.turnRefused(client, reason, at: now) } }
    }

    /// The page says what it plays.
    func report(
        _ playing: Delivery?,
        viewer: String,
        frames: UInt64 = 10,
        reason: String? = nil,
        isHidden: Bool = false
    ) {
        var report = ViewerReport()
        report.isHidden = isHidden
        report.playing = playing
        report.framesDecoded = frames
        report.reason = reason
        input { shard(of: viewer).report(report, viewer: viewer, at: $0, into: &$1) }
    }

    @discardableResult
    func submit(
        _ action: Command.Action,
        id: String = "c1",
        reason: String = "",
        generation: UInt64? = nil
    ) -> CommandReply {
        let command = Command(id: id, action: action, author: "ana", reason: reason, generation: generation)
        var reply = CommandReply.refused("")
        let shard = action.viewer.map { self.shard(of: $0) } ?? shard
        input { reply = shard.submit(command, at: $0, into: &$1) }
        return reply
    }

    /// The states of the camera a viewer was told, in order.
    func sources(_ viewer: String) -> [CameraState] {
        var states: [CameraState] = []
        for case .source(let info) in messages[viewer] ?? [] where states.last != info.state {
            states.append(info.state)
        }
        return states
    }

    /// What a viewer was last told about the camera.
    func lastSource(_ viewer: String) -> SourceInfo? {
        (messages[viewer] ?? []).compactMap { if case .source(let info) = $0 { info } else { nil } }.last
    }

    /// What became of an HLS request.
    enum Fetched {
        case answered(HLSResponse)
        case waits(UInt64)

        var response: HLSResponse? { if case .answered(let response) = self { response } else { nil } }
        var ticket: UInt64? { if case .waits(let ticket) = self { ticket } else { nil } }
    }

    @discardableResult
    func fetch(
        _ resource: String,
        camera: String = "gate",
        viewer: String? = nil,
        msn: Int? = nil,
        part: Int? = nil,
        from remote: String = "198.51.100.9",
        agent: String = "Lavf/61.7.100"
    ) throws -> Fetched {
        let request = HLSRequest(
            camera: camera,
            resource: resource,
            msn: msn.map(String.init),
            part: part.map(String.init),
            viewer: viewer,
            remote: try #require(IPAddress(remote)),
            userAgent: agent,
            scheme: "https"
        )
        var outcome: HLSOutcome?
        input { outcome = shard.hls(request, at: $0, into: &$1) }
        switch try #require(outcome) {
        case .response(let response): return .answered(response)
        case .wait(let ticket):
            waits(ticket)
            return .waits(ticket)
        }
    }
}

extension HLSResponse {
    var text: String { String(decoding: body, as: UTF8.self) }
}

extension EventLog {
    var texts: [String] { newest(1_000).reversed().map(\.text) }
}
