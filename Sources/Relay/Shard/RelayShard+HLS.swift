import Digests
import HLS
import Media
import RTP
import Wire

/// What became of an HLS request.
public enum HLSOutcome: Sendable {
    /// Answered.
    case response(HLSResponse)
    /// Answered later, by ``ShardEffect/hlsResponse(ticket:_:)``.
    case wait(ticket: UInt64)
}

extension RelayShard {
    /// Serves one request.
    public func hls(_ request: HLSRequest, at now: Instant, into effects: inout [ShardEffect]) -> HLSOutcome {
        guard let camera = cameras[request.camera] else {
            return .response(.failure(404, "there is no camera named \(request.camera)"))
        }
        if policy(for: camera.stream) == .webrtc {
            return .response(.failure(403, "HLS is switched off for this camera; use WebRTC"))
        }
        guard !isShuttingDown else {
            return .response(.failure(503, "the relay is shutting down", retryAfter: Self.restartPause))
        }
        var viewer = request.viewer.flatMap { camera.audience.viewers[$0] == nil ? nil : $0 }
        if viewer == nil, request.mayJoin, request.resource == Self.multivariantName {
            do throws(ViewerRefusal) {
                viewer = try join(
                    JoinRequest(
                        camera: request.camera,
                        control: .hls,
                        remote: request.remote,
                        userAgent: request.userAgent
                    ),
                    at: now,
                    into: &effects
                ).id
            } catch {
                return .response(.failure(503, error.text, retryAfter: error.retryAfter))
            }
        }
        if viewer == nil { viewer = bareViewer(asking: request, of: camera) }
        note(.request(scheme: request.scheme), of: viewer, camera, at: now, into: &effects)
        let answer = answer(request, camera: camera, viewer: viewer, at: now, into: &effects)
        camera.hls?.noteRequest(at: now)
        if camera.sound?.process == nil { soundWanted(of: camera, at: now, into: &effects) }
        if let answer { return .response(answer) }

        guard pendingHLS.count < Self.pendingLimit else {
            return .response(.failure(503, "too many requests are waiting", retryAfter: 1))
        }
        let ticket = nextTicket
        nextTicket += 1
        pendingHLS[ticket] = PendingHLSRequest(
            request: request,
            camera: camera,
            viewer: viewer,
            deadline: now + (camera.hls?.muxer.blockingTimeout ?? Self.startPatience)
        )
        camera.hls?.waiting.append(ticket)
        return .wait(ticket: ticket)
    }

    /// Bare players may fetch media on connections that never asked for a playlist: then address and program tell who
    /// it is. Two of the same program at one address share the count, which is why the playlist's query comes first.
    private func bareViewer(asking request: HLSRequest, of camera: Camera) -> String? {
        camera.stream.viewers.values.filter { viewer in
            viewer.control == .hls && viewer.remote == request.remote && viewer.userAgent == request.userAgent
        }.max { $0.lastSignOfLife < $1.lastSignOfLife }?.id
    }

    /// The client that waits has gone.
    public func hlsCancelled(ticket: UInt64) { pendingHLS[ticket] = nil }

    /// The name of the multivariant playlist.
    private static let multivariantName = "index.m3u8"
    /// Requests that may wait at the same time.
    private static let pendingLimit = 20_000
    /// How long a request waits for a camera that has nothing to show yet.
    private static let startPatience: Duration = .seconds(6)
    /// A stream nobody asks for is let go after this long.
    private static let idleLimit: Duration = .seconds(40)

    /// The answer, or `nil` when the request has to wait.
    private func answer(
        _ request: HLSRequest,
        camera: Camera,
        viewer: String?,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) -> HLSResponse? {
        if camera.hls == nil { open(camera, at: now) }
        guard let hls = camera.hls else {
            if camera.stream.facts.isPulled || camera.retryAt != nil { return nil }
            return .failure(
                503,
                camera.state == .live ? "There is nothing to show yet." : camera.state.sentenceForViewers,
                retryAfter: 2,
                remedy: camera.state.remedyForViewers
            )
        }
        switch request.resource {
        case Self.multivariantName:
            let query = viewer.map { "viewer=\($0)" } ?? ""
            guard let playlist = hls.muxer.multivariantPlaylist(viewerQuery: query, at: now) else { return nil }
            note(.playlist(isMedia: false), of: viewer, camera, byteCount: playlist.count, at: now, into: &effects)
            return served(playlist, type: playlistType, to: viewer, by: hls, at: now)
        case HLSMuxer.mediaPlaylistName:
            let query: PlaylistQuery
            do throws(PlaylistQuery.Failure) {
                query = try PlaylistQuery(parsing: request.directives)
            } catch {
                return .failure(400, "the delivery directives are wrong: \(error.text)")
            }
            switch hls.muxer.playlist(query, at: now) {
            case .ready(let playlist):
                note(.playlist(isMedia: true), of: viewer, camera, byteCount: playlist.count, at: now, into: &effects)
                return served(playlist, type: playlistType, to: viewer, by: hls, at: now)
            case .wait: return nil
            case .badRequest(let reason): return .failure(400, reason)
            }
        default:
            switch hls.muxer.resource(named: request.resource) {
            case .ready(let resource):
                let body = resource.chunks.count == 1 ? resource.chunks[0] : Array(resource.chunks.joined())
                let age = hls.muxer.span(ofResource: request.resource).map { (now - $0.start, now - $0.end) }
                note(.media(age: age), of: viewer, camera, byteCount: body.count, at: now, into: &effects)
                var response = served(body, type: "video/mp4", to: viewer, by: hls, at: now)
                response.cacheControl = "public, max-age=3600, immutable"
                return response
            case .wait: return nil
            case .gone: return .failure(404, "this part is no longer, or never was, in the playlist")
            }
        }
    }

    private var playlistType: String { "application/vnd.apple.mpegurl" }

    private func served(
        _ body: [UInt8],
        type: String,
        to viewer: String?,
        by hls: HLSStream,
        at now: Instant
    ) -> HLSResponse {
        hls.served.add(body.count, at: now)
        return HLSResponse(status: 200, contentType: type, body: body, viewer: viewer)
    }

    /// Tells the shard that has the viewer what it did.
    private func note(
        _ kind: HLSActivity.Kind,
        of viewer: String?,
        _ camera: Camera,
        byteCount: Int = 0,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let viewer, let shard = camera.audience.viewers[viewer] else { return }
        let activity = HLSActivity(kind: kind, at: now, byteCount: byteCount, pace: camera.hls?.pace)
        say(.fetched(activity, viewer: viewer), of: camera.stream, to: shard, at: now, into: &effects)
    }

    /// Begins to make a camera's HLS stream, once there is something to make it of.
    private func open(_ camera: Camera, at now: Instant) {
        guard camera.stream.cache.isUsable else { return }
        let counters = camera.videoIngest?.counters(at: now)
        let fps = counters?.framesPerSecond ?? 0
        camera.hls = try? HLSStream(
            stream: camera.stream,
            firstSequence: camera.firstHLSSequence,
            prefix: "e" + random.word(6),
            wallClockAtZero: configuration.clock.unixMillisecondsAtZero,
            frameInterval: fps > 0.5 ? .nanoseconds(Int64(1e9 / fps)) : nil,
            keyframeInterval: counters?.gopDuration,
            at: now
        )
        for (ticket, pending) in pendingHLS where pending.camera === camera {
            camera.hls?.waiting.append(ticket)
        }
    }

    /// Hands live packets to the camera's HLS stream and answers who waited for them.
    func feedHLS(_ packets: [StreamPacket], of camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        if let hls = camera.hls {
            let isChanged = hls.append(packets, isVideo: camera.stream.isVideo, at: now)
            // Before the first part every picture may be the one with which enough is known to publish.
            let mayPublish = hls.muxer.publishedParts == 0 && packets.contains(where: \.isMarker)
            guard isChanged || mayPublish else { return }
        } else {
            guard !pendingHLS.isEmpty, packets.contains(where: \.isMarker),
                pendingHLS.values.contains(where: { $0.camera === camera })
            else { return }
            open(camera, at: now)
        }
        answerWaiting(camera, at: now, into: &effects)
    }

    private func answerWaiting(_ camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        guard let hls = camera.hls else { return }
        let tickets = hls.waiting
        hls.waiting.removeAll(keepingCapacity: true)
        for ticket in tickets {
            guard let pending = pendingHLS[ticket] else { continue }
            if let response = answer(pending.request, camera: camera, viewer: pending.viewer, at: now, into: &effects) {
                pendingHLS[ticket] = nil
                effects.append(.hlsResponse(ticket: ticket, response))
            } else {
                hls.waiting.append(ticket)
            }
        }
    }

    /// Gives up on requests that waited too long, and on streams nobody asks for.
    func expireHLS(at now: Instant, into effects: inout [ShardEffect]) {
        for (ticket, pending) in pendingHLS where now >= pending.deadline {
            pendingHLS[ticket] = nil
            let why = pending.camera.state == .live ? "no new part in time" : pending.camera.state.sentenceForViewers
            effects.append(.hlsResponse(ticket: ticket, .failure(503, why, retryAfter: 1)))
        }
        for camera in cameras.values {
            guard let hls = camera.hls else { continue }
            hls.waiting.removeAll { pendingHLS[$0] == nil }
            if hls.waiting.isEmpty, now - hls.lastRequestAt > Self.idleLimit {
                closeHLS(of: camera, at: now, into: &effects)
            }
        }
    }

    /// Ends a camera's HLS stream; viewers that come back get a new one.
    func closeHLS(of camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        camera.closeHLS(at: now)
        for (ticket, pending) in pendingHLS where pending.camera === camera {
            pendingHLS[ticket] = nil
            effects.append(.hlsResponse(ticket: ticket, .failure(503, "the stream begins anew", retryAfter: 1)))
        }
    }

    /// Answers everybody who waits: nothing more will come.
    func refuseWaiting(into effects: inout [ShardEffect]) {
        for ticket in pendingHLS.keys {
            effects.append(
                .hlsResponse(ticket: ticket, .failure(503, "the relay is shutting down", retryAfter: Self.restartPause))
            )
        }
        pendingHLS = [:]
    }

    /// Answers what a viewer that ends still waits for.
    func cancelHLS(of viewer: String, into effects: inout [ShardEffect]) {
        for (ticket, pending) in pendingHLS where pending.viewer == viewer {
            pendingHLS[ticket] = nil
            effects.append(.hlsResponse(ticket: ticket, .failure(404, "this viewer's session is over")))
        }
    }
}

extension HLSRequest {
    /// The delivery directives as they stood in the query.
    fileprivate var directives: String {
        [("_HLS_msn", msn), ("_HLS_part", part), ("_HLS_skip", skip)]
            .compactMap { name, value in value.map { "\(name)=\($0)" } }
            .joined(separator: "&")
    }
}

extension HLSResponse {
    fileprivate static func failure(
        _ status: Int,
        _ text: String,
        retryAfter: Int? = nil,
        remedy: String? = nil
    ) -> HLSResponse {
        var response = HLSResponse(
            status: status,
            contentType: "text/plain; charset=utf-8",
            cacheControl: "no-store",
            retryAfter: retryAfter,
            body: Array(text.utf8)
        )
        response.remedy = remedy
        return response
    }
}
