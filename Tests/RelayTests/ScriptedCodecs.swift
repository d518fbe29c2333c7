import Media
import Relay
import Testing

/// The codec processes a ``World``'s shard asks for, and what it writes to them. They convert nothing by themselves.
final class ScriptedCodecs {
    /// Processes that are up: number by camera.
    private(set) var running: [String: UInt64] = [:]
    /// How many were started.
    private(set) var started = 0
    /// What the running process was sent, by camera.
    private(set) var received: [String: [ConversionMessage]] = [:]
    private var decoders: [String: ConversionDecoder] = [:]

    func carryOut(_ effect: ShardEffect) {
        switch effect {
        case .startSound(let camera, let process):
            #expect(running[camera] == nil, "one process for a camera")
            running[camera] = process
            received[camera] = []
            decoders[camera] = ConversionDecoder()
            started += 1
        case .writeSound(let camera, let process, let bytes):
            #expect(running[camera] == process, "written to a process that is no more")
            decoders[camera]?.push(bytes)
            while let message = try? decoders[camera]?.next() { received[camera, default: []].append(message) }
        case .stopSound(let camera, let process):
            #expect(running[camera] == process, "a process is ended once")
            running[camera] = nil
        default:
            break
        }
    }

    /// The process has died.
    func died(_ camera: String) { running[camera] = nil }
}

extension World {
    /// The camera's codec process says something.
    func codec(_ camera: String = "gate", says messages: ConversionMessage...) {
        guard let process = codecs.running[camera] else { return }
        var bytes: [UInt8] = []
        for message in messages { message.append(to: &bytes) }
        input { shard.soundReceived(bytes, camera: camera, process: process, at: $0, into: &$1) }
    }

    /// The camera's codec process writes bytes.
    func codec(_ camera: String = "gate", writes bytes: [UInt8]) {
        guard let process = codecs.running[camera] else { return }
        input { shard.soundReceived(bytes, camera: camera, process: process, at: $0, into: &$1) }
    }

    /// The camera's codec process dies.
    func codecDies(_ reason: String, camera: String = "gate") {
        guard let process = codecs.running[camera] else { return }
        codecs.died(camera)
        input { shard.soundEnded(camera: camera, process: process, reason: reason, at: $0, into: &$1) }
    }
}
