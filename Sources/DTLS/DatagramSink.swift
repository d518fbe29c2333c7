import COpenSSL

/// The far end of a session's write BIO: every `BIO_write` becomes one datagram, or several when it is too long.
///
/// Records of epoch 0 get their sequence numbers here rather than from OpenSSL. They are not authenticated and their
/// numbers are no part of the transcript, and so a flight can be sent again with fresh numbers, as RFC 6347 §4.2.4
/// wants, at a time of our choosing: OpenSSL's own retransmission timer reads the system clock.
final class DatagramSink {
    private(set) var datagrams: [[UInt8]] = []
    private var nextPlaintextSequence: UInt64 = 0

    func drain(into outgoing: inout [[UInt8]]) {
        outgoing += datagrams
        datagrams.removeAll(keepingCapacity: true)
    }

    func discard() { datagrams.removeAll() }

    /// Sends datagrams of an earlier flight again; records of later epochs go unchanged.
    func repeatFlight(_ flight: [[UInt8]]) {
        for datagram in flight { append(datagram) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) { append(Array(bytes)) }

    private func append(_ bytes: [UInt8]) {
        var current: [UInt8] = []
        var offset = 0
        while offset < bytes.count {
            // Header: type, version (2), epoch (2), sequence number (6), length (2) (RFC 6347 §4.1).
            guard offset + recordHeaderLength <= bytes.count else { break }
            let length = Int(bytes[offset + 11]) << 8 | Int(bytes[offset + 12])
            let end = min(offset + recordHeaderLength + length, bytes.count)
            if !current.isEmpty, current.count + end - offset > DTLSSession.maximumDatagram {
                datagrams.append(current)
                current = []
            }
            let start = current.count
            current += bytes[offset..<end]
            if current[start + 3] == 0, current[start + 4] == 0 { number(&current, recordAt: start) }
            offset = end
        }
        if !current.isEmpty { datagrams.append(current) }
    }

    private func number(_ datagram: inout [UInt8], recordAt start: Int) {
        for index in 0..<6 {
            datagram[start + 5 + index] = UInt8(truncatingIfNeeded: nextPlaintextSequence >> UInt64(8 * (5 - index)))
        }
        nextPlaintextSequence &+= 1
    }
}

private let recordHeaderLength = 13

extension DatagramSink {
    /// A new write BIO that feeds this sink. The sink is not retained and must outlive the BIO.
    func makeBIO() -> OpaquePointer? {
        guard let method = BIOMethod.shared.pointer, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    fileprivate static func of(_ bio: OpaquePointer?) -> DatagramSink? {
        BIO_get_data(bio).map { Unmanaged<DatagramSink>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// The BIO's methods, made once per process.
///
/// `@unchecked Sendable`: written in `init` only, and OpenSSL reads a method table from any thread.
private final class BIOMethod: @unchecked Sendable {
    static let shared = BIOMethod()
    let pointer: OpaquePointer?

    private init() {
        pointer = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagram sink")
        BIO_meth_set_write(pointer) { bio, bytes, count in
            guard let sink = DatagramSink.of(bio), let bytes, count > 0 else { return -1 }
            sink.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
            return count
        }
        BIO_meth_set_ctrl(pointer) { _, command, _, _ in
            switch command {
            case BIO_CTRL_FLUSH: 1
            case BIO_CTRL_DGRAM_QUERY_MTU: DTLSSession.maximumDatagram
            default: 0
            }
        }
    }
}
