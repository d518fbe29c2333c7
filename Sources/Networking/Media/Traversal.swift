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

    /// Offers TURN from now on; until then there is only STUN.
    func offer(_ server: TURNServer) { self.server.withLock { $0 = server } }

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
            return server.withLock { $0?.receive(message, from: client, at: now, unixTime: unixTime) } ?? .silence
        case nil:
            return .silence
        }
    }

    /// How datagrams of `path`, which leads to a relayed address, get to its owner.
    func wrapping(for path: FiveTuple) -> TURNWrapping? {
        server.withLock { $0?.wrapping(for: path, at: MonotonicClock.now()) }
    }

    /// Whether the client has an allocation.
    func isInUse(by client: TURNClient) -> Bool {
        server.withLock { $0?.hasAllocation(client, at: MonotonicClock.now()) } ?? false
    }

    /// The client's connection has closed.
    func closed(_ client: TURNClient) { server.withLock { $0?.closed(client) } }

    /// What became of requests; `nil` without TURN.
    var counters: TURNServer.Counters? { server.withLock { $0?.counters } }

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
