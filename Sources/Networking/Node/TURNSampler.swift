import ICE
import Relay
import TURN
import Wire

/// Reads for the snapshot what goes through TURN, and for whom.
struct TURNSampler: Sendable {
    let traversal: Traversal
    let users: TURNUsers

    /// What is to be seen at `now`; `nil` without TURN.
    func sample(at now: Instant) -> TURNSnapshot? {
        guard let counters = traversal.counters else { return nil }
        var snapshot = TURNSnapshot()
        snapshot.allocated = counters.allocated
        snapshot.challenged = counters.challenged
        snapshot.refused = .init(
            unauthorized: counters.unauthorized,
            expired: counters.expired,
            forbidden: counters.forbidden,
            overQuota: counters.overQuota,
            overCapacity: counters.overCapacity,
            staleNonce: counters.staleNonce,
            invalid: counters.invalid,
            ignored: counters.ignored
        )
        snapshot.fromClients = .init(counters.fromClients)
        snapshot.toClients = .init(counters.toClients)
        guard counters.allocations > 0 else { return snapshot }
        snapshot.allocations = traversal.allocations(at: now).map { status in
            AllocationSnapshot(
                id: status.relayed.description,
                viewer: users.viewer(behind: status.user),
                user: status.user,
                transport: "turn/\(status.client.carrier.rawValue)",
                client: status.client.path.remote.description,
                server: status.client.path.local.description,
                age: status.age.inSeconds,
                remaining: status.remaining.inSeconds,
                permissions: status.permissions,
                channels: status.channels,
                fromClient: .init(status.fromClient),
                toClient: .init(status.toClient)
            )
        }
        return snapshot
    }
}

extension TURNSnapshot.Traffic {
    init(_ traffic: TURNTraffic) {
        self.init(packets: traffic.packets, bytes: traffic.bytes, dropped: traffic.dropped)
    }
}
