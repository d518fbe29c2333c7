import Dispatch
import Foundation
import TestSupport

/// A program that we did not write, run to its end.
enum Tool {
    struct Result {
        var status: Int32
        var output: [UInt8]
        var errors: String

        var lines: [String] {
            String(decoding: output, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        }
    }

    /// Runs a program for at most 40 s. Its standard input is empty.
    static func run(_ name: String, _ arguments: [String]) async throws -> Result {
        guard let path = Programs.path(of: name), let timeout = Programs.path(of: "timeout") else {
            throw CocoaError(.fileNoSuchFile)
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: timeout)
        process.arguments = ["--kill-after=5", "40", path] + arguments
        process.standardInput = FileHandle.nullDevice
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        async let text = readAll(errors.fileHandleForReading)
        let bytes = await readAll(output.fileHandleForReading)
        let message = String(decoding: await text, as: UTF8.self)
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: bytes, errors: message)
    }

    /// Reads to the end on a thread of Dispatch's, not on one that tests run on.
    private static func readAll(_ handle: FileHandle) async -> [UInt8] {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: Array(handle.readDataToEndOfFile())) }
        }
    }
}
