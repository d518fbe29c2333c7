import NIOCore

/// A shard's codec processes, at most one for each camera. Confined to its loop.
final class CodecProcesses {
    /// Called, on the loop, with what a process does.
    var report: (_ camera: String, _ process: UInt64, CodecProcess.Event) -> Void = { _, _, _ in }

    private let program: String?
    private let loop: any EventLoop
    private var processes: [String: (number: UInt64, process: CodecProcess)] = [:]

    init(program: String?, on loop: any EventLoop) {
        self.program = program
        self.loop = loop
    }

    /// Starts the camera's process; one of an earlier number ends.
    func start(_ number: UInt64, for camera: String) {
        processes.removeValue(forKey: camera)?.process.stop()
        guard let program else { return }
        let process = CodecProcess(program, on: loop) { [weak self] event in
            guard let self else { return }
            if case .ended = event, processes[camera]?.number == number { processes[camera] = nil }
            report(camera, number, event)
        }
        processes[camera] = (number, process)
        process.start()
    }

    func write(_ bytes: [UInt8], to number: UInt64, of camera: String) {
        guard let current = processes[camera], current.number == number else { return }
        current.process.write(bytes)
    }

    func stop(_ number: UInt64, of camera: String) {
        guard let current = processes[camera], current.number == number else { return }
        processes[camera] = nil
        current.process.stop()
    }
}
