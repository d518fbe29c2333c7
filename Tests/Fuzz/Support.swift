import Glibc

/// What every target file defines as `Target`: one parser, and the truths about it that no input may break.
protocol FuzzTarget {
    /// Valid inputs to start from, in the form that ``run(_:)`` takes.
    static func seeds() -> [[UInt8]]
    /// Feeds one input and checks the truths with ``demand(_:_:)``.
    static func run(_ input: [UInt8])
}

/// Ends the run, which makes libFuzzer keep the input, when a truth does not hold.
func demand(_ holds: @autoclosure () -> Bool, _ truth: @autoclosure () -> String) {
    guard !holds() else { return }
    let line = Array("broken: \(truth())\n".utf8)
    write(2, line, line.count)
    abort()
}

/// An input read as a script: control bytes and length-prefixed pieces, until it ends.
struct Script {
    private var rest: ArraySlice<UInt8>

    init(_ input: [UInt8]) { rest = input[...] }

    mutating func byte() -> UInt8? { rest.popFirst() }

    /// A piece with its length before it in two bytes; a length beyond the end takes what there is.
    mutating func piece() -> [UInt8]? {
        guard let high = rest.popFirst(), let low = rest.popFirst() else { return nil }
        let piece = rest.prefix(Int(high) << 8 | Int(low))
        rest = rest.dropFirst(piece.count)
        return Array(piece)
    }

    /// One step of a script, as ``byte()`` and ``piece()`` read it.
    static func step(_ control: UInt8, _ piece: [UInt8]) -> [UInt8] {
        [control, UInt8(truncatingIfNeeded: piece.count >> 8), UInt8(truncatingIfNeeded: piece.count)] + piece
    }
}

/// Writes the seeds into the corpus, which is the first argument that is no flag.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>?,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
    guard let count = count?.pointee, let values = arguments?.pointee else { return 0 }
    let words = (1..<max(1, Int(count))).compactMap { values[$0].map { String(cString: $0) } }
    guard let folder = words.first(where: { !$0.hasPrefix("-") }) else { return 0 }
    for (index, seed) in Target.seeds().enumerated() {
        guard let file = fopen("\(folder)/seed-\(index)", "w") else { continue }
        fwrite(seed, 1, seed.count, file)
        fclose(file)
    }
    return 0
}

/// libFuzzer's entry point.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
