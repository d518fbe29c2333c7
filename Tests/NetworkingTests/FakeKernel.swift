import CMedia
import Glibc
import Synchronization

@testable import Networking

/// A kernel with room for so many datagrams.
final class FakeKernel: Sendable {
    private let state = Mutex((room: 0, sent: [[UInt8]]()))

    var room: Int {
        get { state.withLock { $0.room } }
        set { state.withLock { $0.room = newValue } }
    }

    var sent: [[UInt8]] { state.withLock { $0.sent } }

    var sends: KernelSends {
        KernelSends(
            sendSegments: { _, _, bytes, length, segment, _, _ in
                self.state.withLock { state in
                    guard state.room > 0 else { return -EAGAIN }
                    state.room -= 1
                    let all = Array(UnsafeBufferPointer(start: bytes, count: length))
                    for start in stride(from: 0, to: length, by: Int(segment)) {
                        state.sent.append(Array(all[start..<min(length, start + Int(segment))]))
                    }
                    return 0
                }
            },
            sendBatch: { _, _, bytes, datagrams, count in
                self.state.withLock { state in
                    guard state.room > 0 else { return -EAGAIN }
                    let taken = min(Int(count), state.room)
                    state.room -= taken
                    for index in 0..<taken {
                        let datagram = datagrams[index]
                        state.sent.append(
                            Array(UnsafeBufferPointer(start: bytes + datagram.offset, count: datagram.length))
                        )
                    }
                    return Int32(taken)
                }
            }
        )
    }
}

/// Counts from any thread.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}
