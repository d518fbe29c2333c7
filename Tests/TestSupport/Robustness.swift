/// Feeds a parser every prefix of each sample and `mutations` seeded corruptions of it.
///
/// The parser may throw or succeed; what it must not do is trap, which would end the test process.
///
/// - Parameters:
///   - samples: Valid inputs.
///   - mutations: Corrupted variants per sample.
///   - seed: Makes a failing run repeatable.
///   - parse: The parser under test; errors are expected and ignored.
/// - Returns: The number of inputs tried.
@discardableResult
public func sweep(
    _ samples: [[UInt8]],
    mutations: Int = 1_000,
    seed: UInt64 = 1,
    _ parse: ([UInt8]) throws -> Void
) -> Int {
    var random = SeededGenerator(seed: seed)
    var tried = 0
    func attempt(_ input: [UInt8]) {
        tried += 1
        do { try parse(input) } catch {}
    }
    for sample in samples {
        for length in 0...sample.count { attempt(Array(sample.prefix(length))) }
        for _ in 0..<mutations {
            var input = sample
            for _ in 0...Int.random(in: 0...3, using: &random) where !input.isEmpty {
                let index = Int.random(in: 0..<input.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: input[index] = UInt8.random(in: 0...255, using: &random)
                case 1: input.remove(at: index)
                case 2: input.insert(UInt8.random(in: 0...255, using: &random), at: index)
                default: input[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
                }
            }
            attempt(input)
        }
    }
    return tried
}
