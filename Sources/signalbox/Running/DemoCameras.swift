import Foundation
import RTSP
import Relay
import Wire

/// The demo cameras: `signalbox-media demo` as a process of its own, so that the relay's CPU figure stays honest.
///
/// The child ends when its standard input closes, that is, with this process however that ends.
final class DemoCameras {
    let cameras: [CameraConfiguration]
    private let process: Process
    private let input: Pipe

    /// Starts the cameras and waits until they serve.
    init(count: Int) throws(StartFailure) {
        guard let program = mediaProgram() else {
            throw StartFailure(
                problem: "signalbox-media, which makes the demo cameras, is not beside signalbox nor on the PATH",
                remedy: "Install it with signalbox, or name cameras in a configuration file"
            )
        }
        process = Process()
        input = Pipe()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["demo", "--cameras", "\(count)"]
        process.standardInput = input
        process.standardOutput = output
        do {
            try process.run()
        } catch {
            throw StartFailure(
                problem: "the demo cameras could not be started from \(program)",
                remedy: "Build them with `swift build --product signalbox-media`"
            )
        }
        var line = Data()
        while !line.contains(0x0A) {
            let chunk = output.fileHandleForReading.availableData
            if chunk.isEmpty { break }
            line += chunk
        }
        guard let ready = try? JSONDecoder().decode(Ready.self, from: line.prefix { $0 != 0x0A }) else {
            process.terminate()
            throw StartFailure(
                problem: "the demo cameras did not start",
                remedy: "Run `signalbox-media demo` by itself to see why"
            )
        }
        var cameras: [CameraConfiguration] = []
        for camera in ready.cameras {
            guard let source = try? RTSPURL(parsing: camera.url) else { continue }
            cameras.append(
                CameraConfiguration(
                    name: camera.name,
                    source: source,
                    user: camera.user,
                    password: camera.password.map { Secret($0) },
                    tags: ["demo"]
                )
            )
        }
        self.cameras = cameras
    }

    /// Ends the cameras and waits for them.
    func stop() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    private struct Ready: Decodable {
        struct Camera: Decodable {
            var name: String
            var url: String
            var user: String?
            var password: String?
        }
        var cameras: [Camera]
    }
}
