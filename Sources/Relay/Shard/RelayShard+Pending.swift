import Wire

/// Sessions that were answered and have yet to connect: what a flood of offers is made of.
extension RelayShard {
    /// Sees to it that there is room for one more.
    ///
    /// When there are too many, of all or of the viewer's address, the oldest goes if it has had time enough; a flood
    /// therefore keeps nobody out for longer than that.
    ///
    /// - Throws: A refusal when all of them are new.
    func makeRoomForSession(
        of viewer: Viewer,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) throws(ViewerRefusal) {
        let pending = viewers.values.filter { $0 !== viewer && $0.peer != nil && $0.peerReadyAt == nil }
        let source = viewer.remote.subscriber
        let fromThere = pending.filter { $0.remote.subscriber == source }
        let crowd: [Viewer]
        let isAll: Bool
        // From loopback come proxies, for everybody.
        if !source.isLoopback, fromThere.count >= Self.pendingPerAddress {
            (crowd, isAll) = (fromThere, false)
        } else if pending.count >= configuration.pendingLimit {
            (crowd, isAll) = (pending, true)
        } else {
            return
        }
        guard let oldest = crowd.min(by: { ($0.offeredAt ?? now) < ($1.offeredAt ?? now) }),
            let offeredAt = oldest.offeredAt, now - offeredAt >= Self.pendingTime
        else {
            let whose = crowd.count < pending.count ? " of this address" : ""
            let problem = "\(crowd.count) sessions\(whose) have yet to connect"
            archiveTurnedAway(viewer, problem, cause: isAll ? .server : .clientNetwork, at: now)
            throw ViewerRefusal(.busy, problem, retryAfter: Int(Self.pendingTime.inSeconds))
        }
        let reason = "it did not connect, and others wanted its place"
        if oldest.control == .whep {
            end(oldest, reason: reason, retryAfter: nil, at: now, into: &effects)
        } else {
            endPeer(of: oldest, .relay(reason), at: now, into: &effects)
        }
    }

    /// Sessions of one address on this loop at one time that have yet to connect.
    private static let pendingPerAddress = 8
    /// Several times what the slowest real network and browser need.
    private static let pendingTime = Duration.seconds(10)
}
