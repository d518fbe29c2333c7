/// The records of one datagram that may reach OpenSSL during a handshake (RFC 6347 §4.1, §4.2.2).
///
/// OpenSSL reassembles messages that come out of order, up to ten at a time and each as long as a certificate chain may
/// be, and keeps a 16 KiB buffer for every record of the next epoch. A client could make one session hold megabytes.
/// What no client of ours sends is therefore cut off here, with everything behind it.
struct HandshakeRecords {
    /// Records of epoch 0.
    let plaintext: ArraySlice<UInt8>
    /// Records of epoch 1, which stand behind the others: Finished.
    let protected: ArraySlice<UInt8>

    /// Longest handshake message: a ClientHello with post-quantum key shares has 2 KB, a certificate with an RSA key of
    /// 4,096 bits as much.
    static let maximumMessage = 8 * 1024
    /// ClientHello, Certificate, ClientKeyExchange and CertificateVerify have numbers 0 to 3; there is room for others.
    static let maximumMessageNumber = 7

    init(_ datagram: ArraySlice<UInt8>) {
        var border = datagram.startIndex
        var end = datagram.startIndex
        while let record = Self.record(datagram[end...]) {
            if record.epoch == 0 {
                // Plaintext behind protected records is nothing a client sends.
                guard border == end, Self.isAcceptable(record) else { break }
                border += record.count
            } else if record.epoch != 1 {
                break
            }
            end += record.count
        }
        plaintext = datagram[..<border]
        protected = datagram[border..<end]
    }

    var isEmpty: Bool { plaintext.isEmpty && protected.isEmpty }

    private struct Record {
        var type: UInt8
        var epoch: UInt16
        var content: ArraySlice<UInt8>
        var count: Int { content.count + headerLength }
    }

    /// The record at the front: type, version (2), epoch (2), sequence number (6), length (2), content.
    private static func record(_ bytes: ArraySlice<UInt8>) -> Record? {
        let start = bytes.startIndex
        guard bytes.count >= headerLength, (20...23).contains(bytes[start]), bytes[start + 1] == 0xFE else {
            return nil
        }
        let length = Int(bytes[start + 11]) << 8 | Int(bytes[start + 12])
        guard bytes.count >= headerLength + length else { return nil }
        return Record(
            type: bytes[start],
            epoch: UInt16(bytes[start + 3]) << 8 | UInt16(bytes[start + 4]),
            content: bytes[(start + headerLength)..<(start + headerLength + length)]
        )
    }

    /// Whether the handshake messages in a record are of a size and number that a client has; several may share one.
    private static func isAcceptable(_ record: Record) -> Bool {
        guard record.type == handshakeType else { return true }
        var rest = record.content
        repeat {
            // Type, length (3), number (2), fragment offset (3), fragment length (3).
            guard rest.count >= messageHeaderLength else { return false }
            let start = rest.startIndex
            func three(_ offset: Int) -> Int {
                Int(rest[start + offset]) << 16 | Int(rest[start + offset + 1]) << 8 | Int(rest[start + offset + 2])
            }
            let number = Int(rest[start + 4]) << 8 | Int(rest[start + 5])
            let (length, offset, count) = (three(1), three(6), three(9))
            guard length <= maximumMessage, number <= maximumMessageNumber, offset + count <= length,
                messageHeaderLength + count <= rest.count
            else { return false }
            rest = rest.dropFirst(messageHeaderLength + count)
        } while !rest.isEmpty
        return true
    }
}

private let headerLength = 13
private let messageHeaderLength = 12
private let handshakeType: UInt8 = 22
