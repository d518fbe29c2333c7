import NIOCore
import Relay
import Synchronization

/// A driver, reachable from everywhere, usable on its loop only.
struct ShardHandle: Sendable {
    var loop: any EventLoop
    var driver: NIOLoopBound<ShardDriver>

    /// Runs `body` on the shard's loop.
    func run<Value: Sendable>(_ body: @escaping @Sendable (ShardDriver) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            loop.execute { continuation.resume(returning: body(driver.value)) }
        }
    }
}

/// All shards by their numbers: carries what they say to each other, and says where a viewer is best placed. Safe to use
/// from any thread.
final class ShardDirectory: Sendable {
    private struct Entry {
        var handle: ShardHandle?
        var viewers = 0
    }

    private let entries: Mutex<[Entry]>
    private let keptHome: Int

    /// Creates a directory for so many shards.
    ///
    /// - Parameter keptHome: Viewers that a camera's own shard may have more than the idlest one before new ones go
    ///   there.
    init(shards: Int, keptHome: Int) {
        entries = Mutex(Array(repeating: Entry(), count: shards))
        self.keptHome = keptHome
    }

    /// The shard runs from here on.
    func register(_ handle: ShardHandle, as shard: Int) {
        entries.withLock { entries in
            if entries.indices.contains(shard) { entries[shard].handle = handle }
        }
    }

    /// How many viewers the shard has.
    func note(viewers: Int, at shard: Int) {
        entries.withLock { entries in
            if entries.indices.contains(shard) { entries[shard].viewers = viewers }
        }
    }

    /// Hands a message over. What one shard says to another arrives in order; what is said to a shard that does not run
    /// yet, or no more, is for nobody.
    func post(_ message: ShardMessage, to shard: Int) {
        let handle = entries.withLock { $0.indices.contains(shard) ? $0[shard].handle : nil }
        guard let handle else { return }
        handle.loop.execute { handle.driver.value.receive(message) }
    }

    /// Where a new viewer of a camera is best placed: with the camera, which saves handing packets over, until that loop
    /// has clearly more to do than another.
    func place(forViewerOf home: Int) -> Int {
        entries.withLock { entries in
            guard entries.indices.contains(home),
                let idlest = entries.indices.min(by: { entries[$0].viewers < entries[$1].viewers }),
                entries[home].viewers >= entries[idlest].viewers + keptHome
            else { return home }
            // Counted at once: of many who come together not all shall go to the same one.
            entries[idlest].viewers += 1
            return idlest
        }
    }
}
