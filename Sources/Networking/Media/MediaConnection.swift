import NIOCore
import Synchronization
import TURN
import Wire

/// The sending side of one TCP connection to the media port. Safe to use from any thread.
///
/// Nothing ever waits for the client: what it does not read in time is dropped, as a full network path would do with
/// datagrams. Whoever sends is told how much that was.
final class MediaConnection: Sendable {
    private let channel: any Channel
    private let counters: MediaCounters
    /// Bytes handed to the channel and not yet taken by the kernel.
    private let queued = Atomic<Int>(0)

    init(channel: any Channel, counters: MediaCounters) {
        self.channel = channel
        self.counters = counters
    }

    /// Sends datagrams of one path as RFC 4571 frames.
    ///
    /// - Returns: How many found no room.
    func send(_ entries: ArraySlice<DatagramQueue.Entry>, _ base: UnsafePointer<UInt8>) -> Int {
        send(entries, base, size: { $0 + 2 }) { payload, buffer in
            buffer.storeBytes(of: UInt16(clamping: payload.count).bigEndian, as: UInt16.self)
            UnsafeMutableRawBufferPointer(rebasing: buffer[2...]).copyBytes(from: payload)
            return payload.count + 2
        }
    }

    /// Sends datagrams for a relayed address to its owner.
    ///
    /// - Returns: How many found no room.
    func send(
        _ entries: ArraySlice<DatagramQueue.Entry>,
        _ base: UnsafePointer<UInt8>,
        wrappedBy wrapping: TURNWrapping
    ) -> Int {
        send(entries, base, size: wrapping.size(of:), write: wrapping.write(_:to:))
    }

    /// Sends what finds room, each datagram in the form that `write` gives it. The last of the room is not for pictures,
    /// so that a viewer who cannot have all of them still hears everything.
    private func send(
        _ entries: ArraySlice<DatagramQueue.Entry>,
        _ base: UnsafePointer<UInt8>,
        size: (Int) -> Int,
        write: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Int
    ) -> Int {
        var room = Self.queueLimit - queued.load(ordering: .relaxed)
        var buffer = channel.allocator.buffer(capacity: entries.reduce(0) { $0 + size($1.count) })
        var sent = 0
        var bytes = 0
        for entry in entries {
            let size = size(entry.count)
            guard size <= (entry.isSpare ? room - Self.reserve : room), entry.count <= UInt16.max else { continue }
            room -= size
            sent += 1
            bytes += entry.count
            let payload = UnsafeRawBufferPointer(start: base + entry.offset, count: entry.count)
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { write(payload, $0) }
        }
        guard sent > 0 else { return entries.count }
        counters.sent(sent, bytes: bytes)
        self.write(buffer)
        return entries.count - sent
    }

    /// Sends one message as it is; drops and counts it when the queue is full.
    func send(_ message: [UInt8]) {
        guard queued.load(ordering: .relaxed) + message.count <= Self.queueLimit else { return counters.overflowed(1) }
        counters.sent(1, bytes: message.count)
        write(channel.allocator.buffer(bytes: message))
    }

    /// Closes the connection.
    func close() { channel.close(promise: nil) }

    private func write(_ buffer: ByteBuffer) {
        let count = buffer.readableBytes
        queued.wrappingAdd(count, ordering: .relaxed)
        channel.writeAndFlush(buffer).whenComplete { _ in self.queued.wrappingSubtract(count, ordering: .relaxed) }
    }

    /// About a second of video at 2 Mbit/s; more would arrive too late to be of use.
    static let queueLimit = 256 * 1024
    /// What of that is kept free of pictures: two seconds of sound at 128 kbit/s.
    static let reserve = 32 * 1024
}

/// The TCP connections of the media port, by path. Safe to use from any thread.
final class MediaConnections: Sendable {
    private struct State {
        var byPath: [FiveTuple: MediaConnection] = [:]
        var perAddress: [IPAddress: Int] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())
    /// So that a relay whose viewers all use UDP is not asked about connections.
    private let count = Atomic<Int>(0)

    /// Takes in a connection unless there are too many; loopback may have as many as fit in all.
    func admit(_ connection: MediaConnection, on path: FiveTuple) -> Bool {
        state.withLock { state in
            let source = path.remote.ip.subscriber
            let known = state.perAddress[source, default: 0]
            guard !state.isClosed, state.byPath.count < Self.limit, state.byPath[path] == nil,
                source.isLoopback || known < Self.limitPerAddress
            else { return false }
            state.byPath[path] = connection
            state.perAddress[source] = known + 1
            count.store(state.byPath.count, ordering: .relaxed)
            return true
        }
    }

    /// Forgets a connection that was admitted and is closed.
    func remove(_ path: FiveTuple) {
        state.withLock { state in
            guard state.byPath.removeValue(forKey: path) != nil else { return }
            let source = path.remote.ip.subscriber
            let known = state.perAddress[source, default: 0]
            state.perAddress[source] = known > 1 ? known - 1 : nil
            count.store(state.byPath.count, ordering: .relaxed)
        }
    }

    subscript(path: FiveTuple) -> MediaConnection? {
        guard count.load(ordering: .relaxed) > 0 else { return nil }
        return state.withLock { $0.byPath[path] }
    }

    /// Closes all and takes no more.
    func closeAll() {
        let all = state.withLock { state in
            state.isClosed = true
            return Array(state.byPath.values)
        }
        for connection in all { connection.close() }
    }

    /// Connections at one time.
    static let limit = 2_048
    /// Connections at one time from one address, behind which may be an office of viewers.
    static let limitPerAddress = 64
}
