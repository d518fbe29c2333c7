import Testing
import Wire

/// Datagrams that wait to be sent.
struct DatagramQueueTests {
    let path = FiveTuple(
        .udp,
        local: TransportAddress(IPAddress(v4: 1), port: 1),
        remote: TransportAddress(IPAddress(v4: 2), port: 2)
    )

    private func contents(_ queue: DatagramQueue) -> [[UInt8]] { queue.entries.map { Array(queue.datagram($0)) } }

    @Test func `datagrams keep their order and lie next to each other`() {
        var queue = DatagramQueue(capacity: 16)
        #expect(queue.isEmpty)
        queue.append([1, 2, 3], to: path)
        queue.append([4], to: path)
        #expect(contents(queue) == [[1, 2, 3], [4]])
        #expect(queue.entries.map(\.offset) == [0, 3])
        #expect(queue.byteCount == 4)
        #expect(queue.entries.allSatisfy { $0.path == path })
    }

    @Test(arguments: [0, 1, 7])
    func `the buffer grows when it has to and keeps what is in it`(capacity: Int) {
        var queue = DatagramQueue(capacity: capacity)
        for number in 0..<100 { queue.append([UInt8](repeating: UInt8(number), count: number + 1), to: path) }
        #expect(contents(queue) == (0..<100).map { [UInt8](repeating: UInt8($0), count: $0 + 1) })
    }

    @Test func `a datagram written in place may be shorter than was reserved`() {
        var queue = DatagramQueue(capacity: 8)
        queue.append(to: path, maximum: 1_200) { buffer in
            #expect(buffer.count == 1_200)
            buffer.copyBytes(from: [5, 6])
            return 2
        }
        queue.append([7], to: path)
        #expect(contents(queue) == [[5, 6], [7]])
    }

    @Test func `nothing written is no datagram, and too much is cut to what was reserved`() {
        var queue = DatagramQueue()
        queue.append(to: path, maximum: 10) { _ in 0 }
        queue.append(to: path, maximum: 10) { _ in -3 }
        queue.append([], to: path)
        #expect(queue.isEmpty)
        queue.append(to: path, maximum: 4) { _ in 400 }
        #expect(queue.entries.map(\.count) == [4])
    }

    @Test func `emptied it starts again in the same storage`() {
        var queue = DatagramQueue(capacity: 4)
        queue.append([UInt8](repeating: 1, count: 1_000), to: path)
        let size = queue.bytes.count
        queue.removeAll()
        #expect(queue.isEmpty)
        #expect(queue.byteCount == 0)
        queue.append([2], to: path)
        #expect(contents(queue) == [[2]])
        #expect(queue.bytes.count == size)
    }
}
