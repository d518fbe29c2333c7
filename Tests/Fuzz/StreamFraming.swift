import ICE
import Wire

/// F5: a TCP stream of the media port, RFC 4571 or STUN and TURN, cut into pieces of every size.
enum Target: FuzzTarget {
    static func seeds() -> [[UInt8]] {
        let check = STUNMessage(
            .request,
            transactionID: .init(high: 1, low: 2),
            attributes: [.username("ufrag:peer"), .priority(1)]
        ).serialized(integrityKey: [1])
        let record: [UInt8] = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2]
        func prefixed(_ packet: [UInt8]) -> [UInt8] { [UInt8(packet.count >> 8), UInt8(packet.count & 0xFF)] + packet }
        let channelData: [UInt8] = [0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0]
        let streams: [[UInt8]] = [
            prefixed(check) + prefixed([]) + prefixed(record) + prefixed(check), check + channelData + check,
            prefixed(check) + [0xFF, 0xFF] + record, check + [0x80, 1, 2, 3], Array("GET / HTTP/1.1\r\n\r\n".utf8),
            check + [0x7F, 0xFF, 0x0F, 0xFF],
        ]
        return streams.map { [3] + $0 }
    }

    static func run(_ input: [UInt8]) {
        let stream = Array(input.dropFirst())
        let whole = read(stream, in: max(1, stream.count))
        demand(read(stream, in: 1) == whole, "byte by byte gives the same")
        demand(read(stream, in: 2 + Int(input.first ?? 0)) == whole, "any other cut gives the same")
        let total = whole.messages.reduce(0) { $0 + $1.count }
        demand(total <= stream.count, "no byte is made up")
    }

    private struct Result: Equatable {
        var messages: [[UInt8]] = []
        var failure: StreamDeframer.Failure?
        var framing: StreamDeframer.Framing?
    }

    private static func read(_ stream: [UInt8], in size: Int) -> Result {
        var deframer = StreamDeframer()
        var result = Result()
        for start in stride(from: 0, to: stream.count, by: size) {
            deframer.append(stream[start..<min(start + size, stream.count)])
            do throws(StreamDeframer.Failure) {
                while let message = try deframer.next() {
                    demand(!message.isEmpty && message.count <= StreamDeframer.messageLimit, "messages are bounded")
                    result.messages.append(Array(message))
                }
            } catch {
                result.failure = error
                break
            }
            demand(deframer.pendingBytes <= StreamDeframer.messageLimit + 4, "what waits is bounded")
        }
        result.framing = deframer.framing
        return result
    }
}
