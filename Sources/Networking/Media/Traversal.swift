import ICE
import NIOCore
import Synchronization
import TURN
import Wire

/// STUN and TURN for everybody, the same on every listener that takes them (design decision 6). Safe to use from any
/// thread.
final class Traversal: Sendable {
    private let responder = Mutex(BindingResponder())
    private let server = Mutex<TURNServer?>(nil)
    private let listener = Mutex<TURNListener?>(nil)
    private let loginFailure = Mutex<(@Sendable (TURNServer.LoginFailure) -> Void)?>(nil)

    /// Offers TURN from now on; until then there is only STUN.
    func offer(_ server: TURNServer) { self.server.withLock { $0 = server } }

    /// Calls `body` with every client that is turned away for its credentials, on any thread.
    func whenLoginFails(_ body: @escaping @Sendable (TURNServer.LoginFailure) -> Void) {
        loginFailure.withLock { $0 = body }
    }

    /// What becomes of a message that is no session's.
    func receive(_ message: ArraySlice<UInt8>, from client: TURNClient) -> TURNServer.Outcome {
        let now = MonotonicClock.now()
        switch DatagramRoutes.service(of: message) {
        case .binding:
            guard let request = try? STUNMessage(parsing: message) else { return .silence }
            let answer = responder.withLock { $0.respond(to: request, from: client.path.remote, at: now) }
            return answer.map { .answer($0) } ?? .silence
        case .turn:
            let unixTime = MonotonicClock.wallMilliseconds() / 1_000
            let (outcome, failures) = server.withLock { server in
                (
                    server?.receive(message, from: client, at: now, unixTime: unixTime) ?? .silence,
                    server?.takeLoginFailures() ?? []
                )
            }
            if !failures.isEmpty, let report = loginFailure.withLock({ $0 }) { failures.forEach(report) }
            return outcome
        case nil:
            return .silence
        }
    }

    /// Counts datagrams on `path`, which leads to a relayed address, and says how they get to its owner.
    func pass(_ path: FiveTuple, packets: Int, bytes: Int) -> TURNServer.Passage {
        server.withLock { $0?.pass(path, packets: packets, bytes: bytes, at: MonotonicClock.now()) } ?? .closed
    }

    /// Whether the client has an allocation.
    func isInUse(by client: TURNClient) -> Bool {
        server.withLock { $0?.hasAllocation(client, at: MonotonicClock.now()) } ?? false
    }

    /// The client's connection has closed, and its allocation ends with it.
    ///
    /// - Returns: The relayed address it had.
    func closed(_ client: TURNClient) -> TransportAddress? { server.withLock { $0?.closed(client) } }

    /// What became of requests and data; `nil` without TURN.
    var counters: TURNServer.Counters? { server.withLock { $0?.counters } }

    /// All allocations.
    func allocations(at now: Instant) -> [AllocationStatus] { server.withLock { $0?.statuses(at: now) } ?? [] }

    // MARK: The extra port

    /// Also listens on the customary port.
    func listen(_ listener: TURNListener) { self.listener.withLock { $0 = listener } }

    /// Sends wrapped datagrams from the extra port.
    func sendFromExtraPort(_ queue: inout DatagramQueue) {
        guard let listener = listener.withLock({ $0 }) else { return queue.removeAll() }
        listener.send(&queue)
    }

    /// Closes the extra port.
    func close() async {
        let listener = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        await listener?.close()
    }
}
