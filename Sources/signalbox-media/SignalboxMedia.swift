import ArgumentParser

/// The second executable: the only one that links libavcodec.
///
/// Each subcommand is a process of its own that the relay starts and speaks to over pipes, so that a fault in a codec
/// costs a track or a picture and never a stream.
@main
struct SignalboxMedia: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signalbox-media",
        abstract: "Signalbox's codec processes. Started by signalbox, rarely by hand.",
        subcommands: [Demo.self, Convert.self]
    )
}
