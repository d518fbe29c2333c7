import Synchronization

/// What went through the media port; written by every loop, read by anybody.
public final class MediaCounters: Sendable {
    private let datagramsIn = Atomic<UInt64>(0)
    private let bytesIn = Atomic<UInt64>(0)
    private let datagramsOut = Atomic<UInt64>(0)
    private let bytesOut = Atomic<UInt64>(0)
    private let unknown = Atomic<UInt64>(0)
    private let errors = Atomic<UInt64>(0)
    private let overflow = Atomic<UInt64>(0)
    private let offload = Atomic<Bool>(true)

    /// The counters at one moment. All but `isOffloading` only ever grow.
    public struct Values: Sendable, Equatable {
        /// Datagrams received.
        public var datagramsIn: UInt64
        /// Bytes received, UDP payload.
        public var bytesIn: UInt64
        /// Datagrams sent.
        public var datagramsOut: UInt64
        /// Bytes sent, UDP payload.
        public var bytesOut: UInt64
        /// Datagrams received that belong to nobody, and were dropped without an answer.
        public var droppedUnknown: UInt64
        /// Datagrams that the kernel refused to send.
        public var sendErrors: UInt64
        /// Datagrams dropped because the kernel's and our buffers were full.
        public var droppedFull: UInt64
        /// Bursts leave with one system call (`UDP_SEGMENT`); `false` once the kernel refused that.
        public var isOffloading: Bool
    }

    /// Reads the counters.
    public var values: Values {
        Values(
            datagramsIn: datagramsIn.load(ordering: .relaxed),
            bytesIn: bytesIn.load(ordering: .relaxed),
            datagramsOut: datagramsOut.load(ordering: .relaxed),
            bytesOut: bytesOut.load(ordering: .relaxed),
            droppedUnknown: unknown.load(ordering: .relaxed),
            sendErrors: errors.load(ordering: .relaxed),
            droppedFull: overflow.load(ordering: .relaxed),
            isOffloading: offload.load(ordering: .relaxed)
        )
    }

    var isOffloading: Bool { offload.load(ordering: .relaxed) }

    func received(_ datagrams: Int, bytes: Int, unknown dropped: Int) {
        datagramsIn.wrappingAdd(UInt64(datagrams), ordering: .relaxed)
        bytesIn.wrappingAdd(UInt64(bytes), ordering: .relaxed)
        if dropped > 0 { unknown.wrappingAdd(UInt64(dropped), ordering: .relaxed) }
    }

    func sent(_ datagrams: Int, bytes: Int) {
        datagramsOut.wrappingAdd(UInt64(datagrams), ordering: .relaxed)
        bytesOut.wrappingAdd(UInt64(bytes), ordering: .relaxed)
    }

    func failed(_ datagrams: Int) { errors.wrappingAdd(UInt64(datagrams), ordering: .relaxed) }

    func overflowed(_ datagrams: Int) { overflow.wrappingAdd(UInt64(datagrams), ordering: .relaxed) }

    func stopOffloading() { offload.store(false, ordering: .relaxed) }
}
