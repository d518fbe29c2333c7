import ArgumentParser

/// What `make bench` runs; `Tests/Benchmarks/bench.py` puts the parts together.
@main struct SignalboxBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signalbox-bench",
        abstract: "Loads a WebRTC server, and measures what a packet costs.",
        subcommands: [
            LoadCommand.self, ChurnCommand.self, CameraCommand.self, MicroCommand.self, SinkCommand.self,
            BareCommand.self, BareIngestCommand.self,
        ]
    )
}

/// Why a benchmark cannot go on.
struct BenchError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }

    /// Turns the result of a C function of ours, a count or `-errno`, into a value or an error.
    @discardableResult static func check(_ result: Int32, _ what: String) throws(BenchError) -> Int32 {
        guard result >= 0 else { throw BenchError("\(what): error \(-result)") }
        return result
    }
}
