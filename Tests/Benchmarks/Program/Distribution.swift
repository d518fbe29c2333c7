/// Values of one kind and what can be said about them.
struct Distribution {
    private(set) var values: [Double] = []

    mutating func add(_ value: Double) { values.append(value) }

    mutating func removeAll() { values.removeAll(keepingCapacity: true) }

    /// `null` when there are no values.
    var json: String {
        guard !values.isEmpty else { return "null" }
        let sorted = values.sorted()
        func at(_ fraction: Double) -> Double { sorted[min(sorted.count - 1, Int(Double(sorted.count) * fraction))] }
        let parts = [("p50", at(0.5)), ("p95", at(0.95)), ("p99", at(0.99)), ("max", sorted[sorted.count - 1])]
        return "{" + (parts.map { "\"\($0.0)\":\(rounded($0.1))" } + ["\"n\":\(sorted.count)"]).joined(separator: ",")
            + "}"
    }
}

/// Three decimals are more than any of this is good for.
func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
