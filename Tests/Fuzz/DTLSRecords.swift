import COpenSSL
import DTLS
import Glibc
import Wire

/// F6: a session that meets a real client's datagrams, whole, damaged, repeated and out of order, and others between
/// them. Inside it is OpenSSL, so what is watched besides is how much memory it can be made to hold.
enum Target: FuzzTarget {
    private static let context = makeContext()

    /// Counting allocators have to be in place before OpenSSL's first allocation.
    private static func makeContext() -> DTLSContext? {
        Memory.install()
        return try? DTLSContext.selfSigned()
    }

    static func seeds() -> [[UInt8]] {
        let next = Script.step(0, [])
        let alert: [UInt8] = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40]
        let greedy = (1...12).flatMap { Script.step(3, fragment(message: $0, length: 100_000, bytes: 1)) }
        let modest = (1...12).flatMap { Script.step(3, fragment(message: $0, length: 8_192, bytes: 1)) }
        let early = (UInt8(1)...120).flatMap {
            Script.step(3, [22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, $0, 0, 1, 9])
        }
        return [
            next + next + next + next, next + greedy + next, next + modest + next, next + early + next,
            next + Script.step(1, [0, 20, 0xFF]) + next + Script.step(2, []) + next,
            Script.step(3, alert) + next + next + next,
            next + Script.step(3, fragment(message: 1, length: 16_000, bytes: 1)) + next,
            next + Script.step(3, fragment(message: 2, length: 0xFF_FFFF, bytes: 300)) + Script.step(2, []) + next,
            next + next + next + Script.step(3, [23, 0xFE, 0xFD, 0, 1] + [UInt8](repeating: 9, count: 60)),
            next + Script.step(3, [22, 0xFE, 0xFD, 0, 9] + [UInt8](repeating: 9, count: 60)) + Script.step(0xF4, []),
        ]
    }

    /// A handshake record with one fragment of a message that says it is longer.
    private static func fragment(message: UInt16, length: Int, bytes: Int) -> [UInt8] {
        func three(_ value: Int) -> [UInt8] { [16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }
        var body: [UInt8] = [11] + three(length)
        body.append(message)
        body += three(0) + three(bytes) + [UInt8](repeating: 7, count: bytes)
        var record: [UInt8] = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9]
        record.append(UInt16(truncatingIfNeeded: body.count))
        return record + body
    }

    static func run(_ input: [UInt8]) {
        guard let context, let client = DTLSClient(), let fingerprint = Fingerprint(client.fingerprint) else {
            return demand(false, "a client and a context can be made")
        }
        var now = Instant.zero
        Memory.begin()
        let session = DTLSSession(context: context, fingerprints: [fingerprint], at: now)
        var waiting = client.start()
        var sent: [UInt8] = []
        var taken = 0
        var most = 0
        func give(_ datagram: [UInt8]) {
            var outgoing: [[UInt8]] = []
            let wasConnected = session.state == .connected
            most = max(most, Memory.change { session.receive(datagram[...], at: now, into: &outgoing) })
            taken += datagram.count
            for answer in outgoing {
                demand(answer.count <= DTLSSession.maximumDatagram, "no datagram is longer than 1,200 bytes")
                if !client.isClosed { waiting += client.receive(answer) }
            }
            if wasConnected {
                demand(session.state == .connected || session.state == .closed, "only close_notify ends what stands")
            }
        }
        var script = Script(input)
        // Bits 0–2 say what the session gets, 3–7 after how long.
        while let control = script.byte(), let piece = script.piece() {
            now += .milliseconds(250 * Int(control >> 3))
            switch control & 7 {
            case 0, 1:
                guard !waiting.isEmpty else { continue }
                sent = waiting.removeFirst()
                give(control & 7 == 0 ? sent : damaged(sent, by: piece))
            case 2: give(sent)
            case 4: waiting.reverse()
            case 5: give(sent + piece)
            default: give(piece)
            }
            demand(most <= limit, "a session holds at most \(limit) bytes, not \(most)")
            var outgoing: [[UInt8]] = []
            session.handleTimeout(at: now, into: &outgoing)
            demand(outgoing.allSatisfy { $0.count <= DTLSSession.maximumDatagram }, "repeated flights are cut too")
            if now - .zero > DTLSSession.handshakeTimeout {
                demand(session.state != .connecting && session.state != .new, "a handshake ends in 30 s")
            }
            if let deadline = session.nextDeadline { demand(deadline > now, "no timer is due for ever") }
            demand((session.keys == nil) == (session.state != .connected) || session.state == .closed, "keys are proof")
            if now - .zero > .seconds(40) { break }
        }
    }

    /// What one session may make OpenSSL hold, on top of the session itself.
    private static let limit = 128 * 1024

    /// Every three bytes of `changes` are an offset and what is exclusive-ored there.
    private static func damaged(_ datagram: [UInt8], by changes: [UInt8]) -> [UInt8] {
        var result = datagram
        for start in stride(from: 0, to: changes.count - 2, by: 3) where !result.isEmpty {
            let offset = (Int(changes[start]) << 8 | Int(changes[start + 1])) % result.count
            result[offset] ^= changes[start + 2]
        }
        return result
    }
}

/// What OpenSSL holds, counted by allocators of our own.
private enum Memory {
    /// One thread runs targets.
    nonisolated(unsafe) static var held = 0
    nonisolated(unsafe) private static var session = 0

    static func install() {
        CRYPTO_set_mem_functions(
            { size, _, _ in Memory.block(size, of: nil) },
            { block, size, _, _ in Memory.block(size, of: block) },
            { block, _, _ in Memory.release(block) }
        )
    }

    /// A block of `size` bytes, with its size before it, in place of `old`.
    private static func block(_ size: Int, of old: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let start = malloc(size + header) else { return nil }
        start.storeBytes(of: size, as: Int.self)
        held += size
        let block = start + header
        if let old {
            block.copyMemory(from: old, byteCount: min(size, (old - header).load(as: Int.self)))
            release(old)
        }
        return block
    }

    private static func release(_ block: UnsafeMutableRawPointer?) {
        guard let block else { return }
        held -= (block - header).load(as: Int.self)
        free(block - header)
    }

    private static let header = 16

    /// Runs what the session does; gives what it holds since its first call.
    static func change(_ body: () -> Void) -> Int {
        let before = held
        body()
        session += held - before
        return session
    }

    static func begin() { session = 0 }
}
