import CMedia
import Glibc
import ICE
import TURN
import Wire

/// Sends a loop's datagrams on the media port's descriptor. Confined to that loop.
///
/// A run of equal-sized datagrams to one destination (the last may be shorter) leaves with one `sendmsg` and
/// `UDP_SEGMENT`; the rest with `sendmmsg`. Nothing is copied unless the kernel's buffer is full.
final class DatagramSender {
    /// A duplicate of the media port's descriptor, so that closing the port cannot make us write into a reused number.
    private let descriptor: Int32
    private let family: Int32
    private let counters: MediaCounters
    private let kernel: KernelSends
    /// Where paths over TCP and through TURN leave.
    private let connections: MediaConnections?
    private let traversal: Traversal?
    private let port: UInt16
    /// Datagrams of this batch for clients of TURN over UDP.
    private var wrapped = DatagramQueue(capacity: 0)
    private var wrappedForExtraPort = DatagramQueue(capacity: 0)
    /// Datagrams that found the kernel's buffer full, oldest first.
    private var parked = DatagramQueue(capacity: 0)
    /// What was dropped for want of room since ``takeOverflow()``.
    private var overflow = Overflow()
    private var batch: [cmedia_datagram] = []
    /// Destinations whose path does not take segmented sends, such as one with a small MTU.
    private var unsegmented: Set<TransportAddress> = []
    private var hasSegmented = false
    private let wantsOffload: Bool
    private let parkingLimit: Int

    /// Takes over `descriptor`, which is closed with the sender.
    ///
    /// - Parameters:
    ///   - offload: Whether segmentation offload is tried.
    ///   - kernel: The system calls.
    ///   - connections: Where paths over TCP leave.
    ///   - traversal: Where paths to relayed addresses leave.
    ///   - port: The media port's number.
    ///   - parkingLimit: Bytes that wait for the kernel: a burst of keyframes to some hundred viewers; more would
    ///     arrive too late.
    init(
        descriptor: Int32,
        family: Int32,
        counters: MediaCounters,
        offload: Bool = true,
        kernel: KernelSends = .live,
        connections: MediaConnections? = nil,
        traversal: Traversal? = nil,
        port: UInt16 = 0,
        parkingLimit: Int = 4 * 1024 * 1024
    ) {
        self.parkingLimit = parkingLimit
        self.kernel = kernel
        self.connections = connections
        self.traversal = traversal
        self.port = port
        self.descriptor = descriptor
        self.family = family
        self.counters = counters
        wantsOffload = offload
        batch.reserveCapacity(Int(CMEDIA_BATCH_LIMIT))
    }

    deinit { close(descriptor) }

    /// Whether datagrams wait for room in the kernel's buffer; call ``retry()`` a millisecond later.
    var isBlocked: Bool { !parked.isEmpty }

    /// Sends and empties `queue`. What finds the kernel's buffer full waits, up to `parkingLimit` bytes.
    func send(_ queue: inout DatagramQueue) {
        guard !queue.isEmpty else { return }
        if isBlocked {
            park(queue, from: 0)
            retry()
        } else {
            let sent = transmit(queue)
            if sent < queue.entries.count { park(queue, from: sent) }
        }
        queue.removeAll()
        sendWrapped()
    }

    /// Tries again to send what waits.
    func retry() {
        guard isBlocked else { return }
        let waiting = parked
        let sent = transmit(waiting)
        guard sent > 0 else { return }
        parked = DatagramQueue(capacity: 0)
        if sent < waiting.entries.count { park(waiting, from: sent) }
        sendWrapped()
    }

    /// Gives up what waits: the kernel has had no room for so long that it would arrive too late.
    func dropWaiting() {
        for entry in parked.entries { noteOverflow(entry.path) }
        parked = DatagramQueue(capacity: 0)
    }

    /// Datagrams that were dropped for want of room.
    struct Overflow: Equatable {
        /// How many on which paths.
        var paths: [FiveTuple: Int] = [:]
        /// Those among them that the machine itself had no room for; the others were for clients that do not read.
        var byMachine = 0
    }

    /// What was dropped since the last call.
    func takeOverflow() -> Overflow? {
        guard !overflow.paths.isEmpty else { return nil }
        defer { overflow = Overflow() }
        return overflow
    }

    private func noteOverflow(_ path: FiveTuple) {
        overflow.byMachine += 1
        noteDropped(1, on: path)
    }

    private func noteDropped(_ count: Int, on path: FiveTuple) {
        guard count > 0 else { return }
        counters.overflowed(count)
        if overflow.paths.count < Self.tableLimit || overflow.paths[path] != nil {
            overflow.paths[path, default: 0] += count
        }
    }

    private func park(_ queue: DatagramQueue, from first: Int) {
        for entry in queue.entries[first...] {
            let limit = entry.isSpare ? parkingLimit - parkingLimit / Self.reservedShare : parkingLimit
            guard parked.byteCount + entry.count <= limit else {
                noteOverflow(entry.path)
                continue
            }
            parked.append(queue.datagram(entry), to: entry.path, isSpare: entry.isSpare)
        }
    }

    /// Sends in order; returns the number of entries dealt with, fewer than all when the kernel's buffer is full.
    private func transmit(_ queue: DatagramQueue) -> Int {
        let entries = queue.entries
        return queue.bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return entries.count }
            var plain = 0..<0
            var index = 0
            while index < entries.count {
                let path = entries[index].path
                if path.transport == .tcp || RelayedAddress.contains(path.remote.ip) {
                    let sent = sendPlain(entries[plain], base)
                    guard sent == plain.count else { return plain.lowerBound + sent }
                    let end = entries[index...].firstIndex { $0.path != path } ?? entries.endIndex
                    sendElsewhere(entries[index..<end], on: path, base)
                    plain = end..<end
                    index = end
                    continue
                }
                let run = isOffloading(to: path.remote) ? segmentRun(entries, from: index) : 1
                if run < 2 {
                    plain = plain.isEmpty ? index..<index + 1 : plain.lowerBound..<index + 1
                    index += 1
                    continue
                }
                // What came before goes first, so that a destination gets its datagrams in order.
                let sent = sendPlain(entries[plain], base)
                guard sent == plain.count else { return plain.lowerBound + sent }
                plain = index + run..<index + run
                switch sendSegments(entries[index], entries[index + run - 1], count: run, base) {
                case .sent: break
                case .full: return index
                case .refused: plain = index..<index + run
                }
                index += run
            }
            return plain.isEmpty ? entries.count : plain.lowerBound + sendPlain(entries[plain], base)
        }
    }

    /// How many entries from `first` on can leave as segments of one send.
    private func segmentRun(_ entries: [DatagramQueue.Entry], from first: Int) -> Int {
        let head = entries[first]
        var end = head.offset + head.count
        var index = first + 1
        let last = min(entries.count, first + Int(CMEDIA_SEGMENT_LIMIT))
        while index < last {
            let entry = entries[index]
            guard entry.count <= head.count, entry.offset == end, entry.path == head.path,
                end + entry.count - head.offset <= Self.segmentedBytesLimit
            else { break }
            end += entry.count
            index += 1
            if entry.count < head.count { break }
        }
        return index - first
    }

    /// Over TCP, or wrapped to a client of TURN; one that has gone gets nothing.
    private func sendElsewhere(
        _ entries: ArraySlice<DatagramQueue.Entry>,
        on path: FiveTuple,
        _ base: UnsafePointer<UInt8>
    ) {
        if path.transport == .tcp {
            guard let connection = connections?[path] else { return counters.failed(entries.count) }
            return noteDropped(connection.send(entries, base), on: path)
        }
        let bytes = entries.reduce(0) { $0 + $1.count }
        let wrapping: TURNWrapping
        switch traversal?.pass(path, packets: entries.count, bytes: bytes) {
        case .open(let way): wrapping = way
        case .full:
            return noteDropped(entries.count, on: path)
        case .closed, nil: return counters.failed(entries.count)
        }
        let owner = wrapping.client
        guard owner.carrier == .udp else {
            guard let connection = connections?[owner.path] else { return counters.failed(entries.count) }
            return noteDropped(connection.send(entries, base, wrappedBy: wrapping), on: path)
        }
        for entry in entries {
            let payload = UnsafeRawBufferPointer(start: base + entry.offset, count: entry.count)
            let size = wrapping.size(of: entry.count)
            if owner.path.local.port == port {
                wrapped.append(to: owner.path, maximum: size, isSpare: entry.isSpare) {
                    wrapping.write(payload, to: $0)
                }
            } else {
                wrappedForExtraPort.append(to: owner.path, maximum: size, isSpare: entry.isSpare) {
                    wrapping.write(payload, to: $0)
                }
            }
        }
    }

    /// Sends what ``transmit(_:)`` wrapped; it leaves by this descriptor like everything else.
    private func sendWrapped() {
        if !wrappedForExtraPort.isEmpty { traversal?.sendFromExtraPort(&wrappedForExtraPort) }
        guard !wrapped.isEmpty else { return }
        // Taken out, because sending may wrap, though none of these; and put back, for its storage.
        var queue = DatagramQueue(capacity: 0)
        swap(&queue, &wrapped)
        let sent = isBlocked ? 0 : transmit(queue)
        if sent < queue.entries.count { park(queue, from: sent) }
        queue.removeAll()
        swap(&queue, &wrapped)
    }

    private enum SegmentedResult {
        case sent
        /// The kernel's buffer is full.
        case full
        /// Not possible for these; send them one by one.
        case refused
    }

    private func sendSegments(
        _ first: DatagramQueue.Entry,
        _ last: DatagramQueue.Entry,
        count: Int,
        _ base: UnsafePointer<UInt8>
    ) -> SegmentedResult {
        guard let segment = UInt16(exactly: first.count), isReachable(first.path) else { return .refused }
        let length = last.offset + last.count - first.offset
        var to = cmedia_address(first.path.remote)
        var from = cmedia_address(first.path.local)
        let result = kernel.sendSegments(descriptor, family, base + first.offset, length, segment, &to, &from)
        switch -result {
        case 0:
            hasSegmented = true
            counters.sent(count, bytes: length)
            return .sent
        case EAGAIN, ENOBUFS:
            return .full
        case EINVAL, EIO, EMSGSIZE, EOPNOTSUPP, ENOPROTOOPT:
            refuseOffload(to: first.path.remote)
            return .refused
        default:
            counters.failed(count)
            return .sent
        }
    }

    private func sendPlain(_ entries: ArraySlice<DatagramQueue.Entry>, _ base: UnsafePointer<UInt8>) -> Int {
        var position = entries.startIndex
        while position < entries.endIndex {
            let chunk = entries[position...].prefix(Int(CMEDIA_BATCH_LIMIT))
            guard isReachable(chunk[position].path) else {
                counters.failed(1)
                position += 1
                continue
            }
            batch.removeAll(keepingCapacity: true)
            for entry in chunk {
                guard isReachable(entry.path) else { break }
                batch.append(
                    cmedia_datagram(
                        to: cmedia_address(entry.path.remote),
                        from: cmedia_address(entry.path.local),
                        offset: entry.offset,
                        length: entry.count
                    )
                )
            }
            let result = kernel.sendBatch(descriptor, family, base, batch, UInt32(batch.count))
            if result > 0 {
                let sent = chunk.prefix(Int(result))
                counters.sent(sent.count, bytes: sent.reduce(0) { $0 + $1.count })
                position += sent.count
            } else if result == -EAGAIN || result == -ENOBUFS {
                return position - entries.startIndex
            } else {
                counters.failed(1)
                position += 1
            }
        }
        return entries.count
    }

    /// An IPv4 socket cannot send to IPv6 addresses; nothing was received from them there either.
    private func isReachable(_ path: FiveTuple) -> Bool {
        path.transport == .udp && (family == 6 || !path.remote.ip.isIPv6) && !path.remote.ip.isUnspecified
    }

    private func isOffloading(to remote: TransportAddress) -> Bool {
        wantsOffload && counters.isOffloading && (unsegmented.isEmpty || !unsegmented.contains(remote))
    }

    /// One destination that refuses may have a small MTU; several before any success mean that this machine cannot.
    private func refuseOffload(to remote: TransportAddress) {
        if unsegmented.count >= Self.tableLimit { unsegmented.removeAll() }
        unsegmented.insert(remote)
        if !hasSegmented, unsegmented.count >= Self.refusalsUntilOff { counters.stopOffloading() }
    }

    /// Below the 65,507 bytes that IPv4 and UDP headers leave of a segmented send.
    private static let segmentedBytesLimit = 65_000
    /// Addresses remembered in a table before it starts anew.
    private static let tableLimit = 4_096
    private static let refusalsUntilOff = 4
    /// One part in so many of what may wait is kept free of pictures.
    private static let reservedShare = 8
}

/// The system calls a sender makes, so that a full or refusing kernel can be put in their place. See `cmedia.h`.
struct KernelSends: Sendable {
    /// One send that the kernel cuts into datagrams. Returns 0 or `-errno`.
    var sendSegments:
        @Sendable (
            _ descriptor: Int32, _ family: Int32, _ bytes: UnsafePointer<UInt8>, _ length: Int, _ segment: UInt16,
            _ to: UnsafePointer<cmedia_address>, _ from: UnsafePointer<cmedia_address>
        ) -> Int32
    /// Several datagrams. Returns how many left, or `-errno`.
    var sendBatch:
        @Sendable (
            _ descriptor: Int32, _ family: Int32, _ bytes: UnsafePointer<UInt8>,
            _ datagrams: UnsafePointer<cmedia_datagram>, _ count: UInt32
        ) -> Int32

    /// The kernel's own.
    static let live = KernelSends(
        sendSegments: { cmedia_send_segments($0, $1, $2, $3, $4, $5, $6) },
        sendBatch: { cmedia_send_batch($0, $1, $2, $3, $4) }
    )
}
