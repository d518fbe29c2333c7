import NIOConcurrencyHelpers
import NIOCore
import Wire

/// The connections that are open, so that there are never too many and all can be ended.
final class ConnectionTable: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var perAddress: [IPAddress: Int] = [:]
        var isClosed = false
    }

    private let state = NIOLockedValueBox(State())
    private let limits: GatewayConfiguration.Limits

    init(limits: GatewayConfiguration.Limits) { self.limits = limits }

    /// Counts a connection until it closes.
    ///
    /// - Returns: `false` when it is one too many; the caller closes it.
    func admit(_ channel: any Channel, from remote: IPAddress) -> Bool {
        let key = ObjectIdentifier(channel)
        let isLoopback = remote.isLoopback
        let remote = remote.subscriber
        let isAdmitted = state.withLockedValue { state in
            let mine = state.perAddress[remote, default: 0]
            guard !state.isClosed, state.channels.count < limits.connections,
                isLoopback || mine < limits.connectionsPerAddress
            else { return false }
            state.channels[key] = channel
            state.perAddress[remote] = mine + 1
            return true
        }
        guard isAdmitted else { return false }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLockedValue { state in
                state.channels[key] = nil
                let left = state.perAddress[remote, default: 1] - 1
                state.perAddress[remote] = left > 0 ? left : nil
            }
        }
        return true
    }

    /// Connections open now.
    var count: Int { state.withLockedValue { $0.channels.count } }

    /// Ends all connections and takes no more. WebSockets say goodbye first (``WebSocketMessageHandler``).
    func closeAll() async {
        let channels = state.withLockedValue { state in
            state.isClosed = true
            return Array(state.channels.values)
        }
        for channel in channels {
            channel.pipeline.fireUserInboundEventTriggered(GatewayShutdownEvent())
            channel.close(mode: .all, promise: nil)
        }
        for channel in channels { try? await channel.closeFuture.get() }
    }
}

/// The gateway ends; sent through every connection's pipeline before it is closed.
struct GatewayShutdownEvent: Sendable {}
