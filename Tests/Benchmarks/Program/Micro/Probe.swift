import CBench

/// What one operation costs in this thread.
struct Cost {
    /// Processor time, user and system.
    var nanoseconds: Double
    /// User-space instructions; `nil` where the machine does not count them.
    var instructions: Double?
    /// Calls of the allocator.
    var allocations: Double
    /// Operations of a batch.
    var operations: Double
}

/// What a batch costs is counted between entry to this function and return: also by callgrind, which finds it by its
/// name, where the machine counts no instructions itself.
@inline(never)
private func enterMeasuredRegion(_ body: () throws -> Int) rethrows -> Int { try body() }

/// Measures operations in batches and keeps the cheapest batch: everything else on the machine only adds.
final class Probe {
    private let counter = cbench_instructions_open()
    private let batches: Int

    /// - Parameter batches: How often everything is measured.
    init(batches: Int) {
        self.batches = batches
    }

    deinit { if counter >= 0 { cbench_close(counter) } }

    /// - Parameters:
    ///   - prepare: Sets up a batch; not measured.
    ///   - body: Runs a batch and returns how many operations it did.
    func measure<State>(
        _ prepare: () throws -> State,
        _ body: (inout State) throws -> Int
    ) rethrows -> Cost {
        var best: Cost?
        for _ in 0..<max(1, batches) {
            var state = try prepare()
            let instructions = counter >= 0 ? cbench_instructions_read(counter) : 0
            let allocations = cbench_allocations()
            let start = Clock.thread()
            let operations = Double(max(1, try enterMeasuredRegion { try body(&state) }))
            let elapsed = Clock.thread() - start
            let cost = Cost(
                nanoseconds: Double(elapsed) / operations,
                instructions: counter >= 0
                    ? Double(cbench_instructions_read(counter) - instructions) / operations : nil,
                allocations: Double(cbench_allocations() - allocations) / operations,
                operations: operations
            )
            if best.map({ cost.nanoseconds < $0.nanoseconds }) ?? true { best = cost }
        }
        return best ?? Cost(nanoseconds: 0, instructions: nil, allocations: 0, operations: 1)
    }
}
