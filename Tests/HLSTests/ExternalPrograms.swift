import Foundation
import Media
import Wire

/// Programs we did not write, as makers of fixtures and as judges.
enum ExternalPrograms {
    static let ffmpeg = find("ffmpeg")
    static let ffprobe = find("ffprobe")
    static var areMissing: Bool { ffmpeg == nil || ffprobe == nil }

    private static func find(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
            .map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    struct Failed: Error, CustomStringConvertible { var description: String }

    /// Runs a program; standard output and standard error.
    static func run(_ program: String?, _ arguments: [String]) throws -> (output: String, errors: String) {
        guard let program else { throw Failed(description: "not installed") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // Errors are few lines; output is read first so that it cannot fill its pipe.
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let complaints = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let result = (String(decoding: text, as: UTF8.self), String(decoding: complaints, as: UTF8.self))
        guard process.terminationStatus == 0 else { throw Failed(description: result.1) }
        return result
    }

    static func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appending(path: "hls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try body(directory.path() + "/")
    }

    static func read(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

    static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
}

/// A short clip made by ffmpeg, as access units.
struct EncodedClip {
    var tracks: [TrackFormat]
    var units: [AccessUnit]
    var frameCount: Int

    enum Sound: String, Sendable { case none, aac, opus }

    struct Malformed: Error {}

    static func make(
        seconds: Int = 6,
        size: String = "320x180",
        bFrames: Int = 0,
        groupLength: Int = 50,
        sound: Sound = .none,
        start: Int64 = 5_000 * 90_000
    ) throws -> EncodedClip {
        try ExternalPrograms.withTemporaryDirectory { directory in
            let movie = "\(directory)clip.mp4"
            let x264 = "bframes=\(bFrames):keyint=\(groupLength):min-keyint=\(groupLength):scenecut=0"
            _ = try ExternalPrograms.run(
                ExternalPrograms.ffmpeg,
                ["-v", "error", "-f", "lavfi", "-i", "testsrc=s=\(size):r=25", "-t", "\(seconds)"]
                    + ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-x264-params", x264, movie]
            )
            let stream = "\(directory)clip.h264"
            _ = try ExternalPrograms.run(
                ExternalPrograms.ffmpeg,
                [
                    "-v", "error", "-i", movie, "-c", "copy", "-bsf:v", "h264_mp4toannexb,h264_metadata=aud=insert",
                    stream,
                ]
            )
            let times = try ExternalPrograms.run(
                ExternalPrograms.ffprobe,
                ["-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", movie]
            ).output.split(whereSeparator: \.isNewline).compactMap { Double($0.filter { $0 != "," }) }
            var frames: [[[UInt8]]] = []
            for unit in AnnexB.split(try ExternalPrograms.read(stream)[...]) {
                if unit.first.map({ $0 & 0x1F }) == 9 { frames.append([]) }
                guard !frames.isEmpty else { throw Malformed() }
                frames[frames.count - 1].append(Array(unit))
            }
            guard frames.count == times.count else { throw Malformed() }
            var units = zip(frames, times).map { frame, time in
                AccessUnit(
                    track: 0,
                    timestamp: start + Int64((time * 90_000).rounded()),
                    arrival: instant(start + Int64((time * 90_000).rounded())),
                    isKeyframe: frame.contains { ($0.first ?? 0) & 0x1F == 5 },
                    units: frame
                )
            }
            // Arrival follows decode order.
            for index in units.indices.dropFirst() {
                units[index].arrival = max(units[index].arrival, units[index - 1].arrival)
            }
            var tracks = [TrackFormat(codec: .h264, clockRate: 90_000)]
            if let audio = try makeSound(sound, seconds: seconds, in: directory, start: start * 48_000 / 90_000) {
                tracks.append(audio.format)
                units = (units + audio.units).sorted { $0.arrival < $1.arrival }
            }
            return EncodedClip(tracks: tracks, units: units, frameCount: frames.count)
        }
    }

    private static func makeSound(
        _ sound: Sound,
        seconds: Int,
        in directory: String,
        start: Int64
    ) throws -> (format: TrackFormat, units: [AccessUnit])? {
        let source = ["-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "\(seconds)"]
        let packets: [[UInt8]]
        let format: TrackFormat
        let duration: Int64
        switch sound {
        case .none:
            return nil
        case .aac:
            let file = "\(directory)sound.aac"
            _ = try ExternalPrograms.run(ExternalPrograms.ffmpeg, source + ["-ac", "2", "-c:a", "aac", file])
            packets = try adtsFrames(try ExternalPrograms.read(file))
            let configuration = try AACConfiguration(sampleRate: 48_000, channels: 2)
            format = TrackFormat(codec: .aac, clockRate: 48_000, channels: 2, aac: configuration)
            duration = 1_024
        case .opus:
            let file = "\(directory)sound.ogg"
            _ = try ExternalPrograms.run(ExternalPrograms.ffmpeg, source + ["-ac", "2", "-c:a", "libopus", file])
            packets = Array(try oggPackets(try ExternalPrograms.read(file)).dropFirst(2))
            format = TrackFormat(codec: .opus, clockRate: 48_000, channels: 2)
            duration = 960
        }
        let units = packets.enumerated().map { index, packet in
            let time = start + Int64(index) * duration
            return AccessUnit(
                track: 1,
                timestamp: time,
                arrival: instant(time * 90_000 / 48_000),
                isKeyframe: true,
                units: [packet]
            )
        }
        return (format, units)
    }

    private static func adtsFrames(_ bytes: [UInt8]) throws -> [[UInt8]] {
        var reader = ByteReader(bytes)
        var frames: [[UInt8]] = []
        while !reader.isAtEnd {
            let header = Array(try reader.readBytes(7))
            guard header[0] == 0xFF, header[1] & 1 == 1 else { throw Malformed() }
            let length = Int(header[3] & 3) << 11 | Int(header[4]) << 3 | Int(header[5]) >> 5
            frames.append(Array(try reader.readBytes(length - 7)))
        }
        return frames
    }

    private static func oggPackets(_ bytes: [UInt8]) throws -> [[UInt8]] {
        var reader = ByteReader(bytes)
        var packets: [[UInt8]] = []
        var packet: [UInt8] = []
        while !reader.isAtEnd {
            guard Array(try reader.readBytes(4)) == Array("OggS".utf8) else { throw Malformed() }
            try reader.skip(22)
            for length in Array(try reader.readBytes(Int(try reader.readUInt8()))) {
                packet += try reader.readBytes(Int(length))
                if length < 255 {
                    packets.append(packet)
                    packet = []
                }
            }
        }
        return packets
    }
}
