import CBench

/// What one operation costs in this thread.
struct Cost {
    /// Processor time, user and system.
    var nanoseconds: Double
    /// User-space instructions; `nil` where the machine does not count them.
    var instructions: Double?
    /// Calls of the allocator.
    var allocations: Double
}

/// Measures operations in batches and keeps the cheapest batch: everything else on the machine only adds.
final class Probe {
    private let counter = cbench_instructions_open()

    deinit { if counter >= 0 { cbench_close(counter) } }

    /// Whether this machine counts instructions.
    var countsInstructions: Bool { counter >= 0 }

    /// - Parameters:
    ///   - prepare: Sets up a batch; not measured.
    ///   - body: Runs a batch and returns how many operations it did.
    func measure<State>(
        batches: Int = 60,
        _ prepare: () throws -> State,
        _ body: (inout State) throws -> Int
    ) rethrows -> Cost {
        var best: Cost?
        for _ in 0..<batches {
            var state = try prepare()
            let instructions = counter >= 0 ? cbench_instructions_read(counter) : 0
            let allocations = cbench_allocations()
            let start = Clock.thread()
            let operations = Double(max(1, try body(&state)))
            let elapsed = Clock.thread() - start
            let cost = Cost(
                nanoseconds: Double(elapsed) / operations,
                instructions: counter >= 0
                    ? Double(cbench_instructions_read(counter) - instructions) / operations : nil,
                allocations: Double(cbench_allocations() - allocations) / operations
            )
            if best.map({ cost.nanoseconds < $0.nanoseconds }) ?? true { best = cost }
        }
        return best ?? Cost(nanoseconds: 0, instructions: nil, allocations: 0)
    }
}
