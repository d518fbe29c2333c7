import Foundation
import Testing

/// A `signalbox-media demo` process and the pipe that keeps it alive.
final class RunningDemo {
    struct Camera: Decodable {
        var name: String
        var url: String
        var user: String
        var password: String
        var video: String
        var audio: String?

        /// The URL with user and password, as ffmpeg takes it.
        var fullURL: String { url.replacingOccurrences(of: "rtsp://", with: "rtsp://\(user):\(password)@") }
        var port: String { String(url.split(separator: ":")[2].prefix { $0.isNumber }) }
    }

    private struct Announcement: Decodable { var cameras: [Camera] }

    private(set) var cameras: [Camera] = []
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let errors = Pipe()

    /// Starts the process and waits until it has announced its cameras.
    init(_ arguments: [String]) async throws {
        process.executableURL = try Self.executable()
        process.arguments = ["demo"] + arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        try output.fileHandleForWriting.close()
        try errors.fileHandleForWriting.close()
        try input.fileHandleForReading.close()
        let line = await nextLine(of: output)
        guard !line.isEmpty else { return }
        cameras = try JSONDecoder().decode(Announcement.self, from: Data(line.utf8)).cameras
    }

    /// Ends the process, unless it has ended already.
    func end() { if process.isRunning { process.terminate() } }

    /// Sends a control line and returns the acknowledgement.
    func perform(_ command: String) async throws -> String {
        try input.fileHandleForWriting.write(contentsOf: Data((command + "\n").utf8))
        return await nextLine(of: errors)
    }

    /// The next line on standard error; empty at the end.
    func nextErrorLine() async -> String { await nextLine(of: errors) }

    /// Closes the process's standard input and returns its exit status.
    func hangUp() async throws -> Int32 {
        try input.fileHandleForWriting.close()
        return await status()
    }

    /// Waits for the process to end by itself.
    func status() async -> Int32 {
        // The end of its output is the end of the process.
        while await !nextLine(of: output).isEmpty {}
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func nextLine(of pipe: Pipe) async -> String {
        let handle = pipe.fileHandleForReading
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var line: [UInt8] = []
                while let byte = handle.readData(ofLength: 1).first, byte != 0x0A { line.append(byte) }
                continuation.resume(returning: String(decoding: line, as: UTF8.self))
            }
        }
    }

    /// The program beside the test bundle.
    static func executable() throws -> URL {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("signalbox-media")
        try #require(FileManager.default.isExecutableFile(atPath: beside.path), "signalbox-media has not been built")
        return beside
    }
}
