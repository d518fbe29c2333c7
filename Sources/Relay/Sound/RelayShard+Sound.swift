import HLS
import Media
import WebRTC
import Wire

/// Converted sound: who listens to it, and what its codec process says.
extension RelayShard {
    /// A codec process wrote something.
    public func soundReceived(
        _ bytes: [UInt8],
        camera: String,
        process: UInt64,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let camera = cameras[camera] else { return }
        var orders: [SoundWorker.Order] = []
        let result = camera.sound?.receive(bytes, from: process, using: &random, at: now, into: &orders)
        carryOut(orders, for: camera, into: &effects)
        if let packets = result?.packets, !packets.isEmpty {
            var admitted: [StreamPacket] = []
            camera.numbering.admit(packets, kinds: camera.stream.kinds, into: &admitted)
            camera.stream.take(admitted[...])
            deliver(admitted, of: camera, at: now, into: &effects)
        }
        if let failure = result?.failure { soundFailed(failure, of: camera, at: now, into: &effects) }
    }

    /// A codec process ended by itself, or could not be started; `reason` says how.
    public func soundEnded(
        camera: String,
        process: UInt64,
        reason: String,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let camera = cameras[camera],
            let news = camera.sound?.ended(process, reason, using: &random, at: now)
        else { return }
        soundFailed(news, of: camera, at: now, into: &effects)
    }

    /// The camera described its tracks: gives it a converted one where a delivery would lack sound.
    ///
    /// - Returns: The formats of all of the stream's tracks.
    func derive(_ formats: [TrackFormat], for camera: Camera, into effects: inout [ShardEffect]) -> [TrackFormat] {
        let needed = configuration.convertsSound ? AudioConversion.needed(for: formats) : nil
        if let known = camera.sound, known.sourceTrack == needed?.track, known.conversion == needed?.conversion,
            known.track == formats.count
        {
            return formats + [known.conversion.result]
        }
        stopSound(of: camera, into: &effects)
        guard let needed else { return formats }
        camera.sound = SoundWorker(needed.conversion, sourceTrack: needed.track, track: formats.count)
        return formats + [needed.conversion.result]
    }

    /// Hands packets of the converted track's source to the process.
    func feedSound(_ packets: [StreamPacket], of camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        guard let process = camera.sound?.process else { return }
        var bytes: [UInt8] = []
        for packet in packets { camera.sound?.feed(packet, at: now, into: &bytes) }
        if !bytes.isEmpty { effects.append(.writeSound(camera: camera.name, process: process, bytes: bytes)) }
    }

    /// Somebody has come who may want the camera's converted sound: does not wait for the next look around.
    func soundWanted(of camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        guard camera.sound != nil, camera.audience.wantsSound || listensByHLS(to: camera, at: now) else { return }
        needSound(of: camera, at: now, into: &effects)
    }

    /// Starts and ends processes by who listens.
    func watchSound(at now: Instant, into effects: inout [ShardEffect]) {
        for camera in cameras.values where camera.sound != nil {
            soundWanted(of: camera, at: now, into: &effects)
            var orders: [SoundWorker.Order] = []
            let failure = camera.sound?.watch(using: &random, at: now, into: &orders)
            carryOut(orders, for: camera, into: &effects)
            if let failure = failure ?? nil { soundFailed(failure, of: camera, at: now, into: &effects) }
        }
    }

    /// Ends the camera's process.
    func stopSound(of camera: Camera, into effects: inout [ShardEffect]) {
        if let process = camera.sound?.process {
            effects.append(.stopSound(camera: camera.name, process: process))
        }
        camera.sound = nil
    }

    private func needSound(of camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        // A camera that delivers nothing gives nothing to convert.
        guard camera.isOpen else { return }
        var orders: [SoundWorker.Order] = []
        camera.sound?.need(number: &nextProcess, at: now, into: &orders)
        carryOut(orders, for: camera, into: &effects)
    }

    private func listensByHLS(to camera: Camera, at now: Instant) -> Bool {
        guard let hls = camera.hls, hls.muxer.audioTrack == camera.sound?.track else { return false }
        return !hls.waiting.isEmpty || now - hls.lastRequestAt < Self.playlistPatience
    }

    private func carryOut(_ orders: [SoundWorker.Order], for camera: Camera, into effects: inout [ShardEffect]) {
        for order in orders {
            switch order {
            case .start(let process):
                effects.append(.startSound(camera: camera.name, process: process))
            case .write(let process, let bytes):
                effects.append(.writeSound(camera: camera.name, process: process, bytes: bytes))
            case .stop(let process):
                effects.append(.stopSound(camera: camera.name, process: process))
            }
        }
        camera.noteSound()
    }

    private func soundFailed(
        _ reason: String,
        of camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let sound = camera.sound else { return }
        let from = sound.conversion.source.codec.rawValue
        let text = "no \(from) sound for \(sound.conversion.delivery) viewers: \(reason)"
        log(.warning, text, camera: camera.name, at: now)
        tell(camera, at: now, into: &effects)
    }

    /// A plain HLS player asks once in a segment.
    private static let playlistPatience: Duration = .seconds(12)
}
