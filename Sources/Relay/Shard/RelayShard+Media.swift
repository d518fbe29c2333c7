import Media
import RTP
import RTSP
import WebRTC
import Wire

/// From what a camera sends to what viewers get.
extension RelayShard {
    /// Gives the RTSP session an input and carries out what it wants.
    func drive(
        _ camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect],
        _ input: (inout RTSPClient, inout [RTSPEffect]) -> Void
    ) {
        guard camera.isOpen else { return }
        var list: [RTSPEffect] = []
        swap(&list, &rtspEffects)
        var admitted: [StreamPacket] = []
        swap(&admitted, &admittedPackets)
        camera.drive { client in input(&client, &list) }
        carryOut(list, of: camera, at: now, into: &effects, &admitted)
        // Given back empty: the packets in them share the RTSP decoder's buffer, or are kept by those who need them.
        list.removeAll(keepingCapacity: true)
        swap(&list, &rtspEffects)
        admitted.removeAll(keepingCapacity: true)
        swap(&admitted, &admittedPackets)
    }

    private func carryOut(
        _ list: [RTSPEffect],
        of camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect],
        _ admitted: inout [StreamPacket]
    ) {
        let attempt = camera.attempt
        for effect in list {
            switch effect {
            case .write(let bytes):
                effects.append(.write(camera: camera.name, attempt: attempt, bytes: bytes))
            case .openDatagramPorts(let track):
                effects.append(.openPorts(camera: camera.name, attempt: attempt, track: track))
            case .sendDatagram(let track, let isRTCP, let port, let bytes):
                effects.append(
                    .sendDatagram(
                        camera: camera.name,
                        attempt: attempt,
                        track: track,
                        isRTCP: isRTCP,
                        port: port,
                        bytes: bytes
                    )
                )
            case .described(let tracks):
                if let failure = CameraFailure(unsupported: tracks) {
                    fail(camera, failure, at: now, into: &effects)
                    return
                }
                described(camera, tracks, at: now, into: &effects)
            case .playing(let transport, _):
                playing(camera, by: transport, at: now, into: &effects)
                for (track, bytes) in camera.earlyPackets.take() {
                    receive(bytes[...], track: track, of: camera, at: now, into: &effects, &admitted)
                }
            case .rtp(let track, let bytes):
                receive(bytes, track: track, of: camera, at: now, into: &effects, &admitted)
            case .rtcp(let track, let bytes):
                guard camera.ingests.indices.contains(track) else { continue }
                // A camera's broken RTCP costs its clock, not its picture.
                try? camera.ingests[track].receiveRTCP(bytes, at: now)
                TrackIngest.align(&camera.ingests)
            case .report(let notice):
                note(notice, of: camera, at: now)
            case .closed(let failure):
                deliver(admitted, of: camera, at: now, into: &effects)
                admitted.removeAll(keepingCapacity: true)
                guard camera.isOpen else { return }
                let cause = failure.map { CameraFailure($0, camera: camera) } ?? CameraFailure.closedByCamera
                fail(camera, cause, at: now, into: &effects)
                return
            }
        }
        deliver(admitted, of: camera, at: now, into: &effects)
        schedule(camera)
    }

    /// Takes an RTP packet.
    ///
    /// - Parameter admitted: Receives what may be delivered.
    private func receive(
        _ rtp: ArraySlice<UInt8>,
        track: Int,
        of camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect],
        _ admitted: inout [StreamPacket]
    ) {
        guard camera.ingests.indices.contains(track) else {
            if camera.ingests.isEmpty { camera.earlyPackets.append(Array(rtp), track: track) }
            return
        }
        camera.received.add(rtp.count, at: now)
        var packets: [StreamPacket] = []
        swap(&packets, &ingestedPackets)
        var notices: [IngestNotice] = []
        camera.ingests[track].receive(rtp, at: now, into: &packets, notices: &notices)
        applyNotices(notices, track: track, of: camera, at: now, into: &effects)
        admit(packets, to: camera, at: now, into: &effects, &admitted)
        packets.removeAll(keepingCapacity: true)
        swap(&packets, &ingestedPackets)
    }

    private func described(
        _ camera: Camera,
        _ tracks: [RTSPTrack],
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        camera.tracks = tracks
        let earlier = camera.stream.facts
        camera.stream.facts.tracks = derive(tracks.map(\.format), for: camera, into: &effects)
        camera.noteSound()
        adapt(camera.stream, from: earlier, isNews: false, at: now, into: &effects)
        if camera.stream.facts.hasOtherCodecs(than: earlier) { closeHLS(of: camera, at: now, into: &effects) }
    }

    private func playing(
        _ camera: Camera,
        by transport: RTSPTransport,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        camera.transport = transport
        camera.credentialHold.reset()
        camera.hasSeenReordering = false
        camera.ingests = camera.tracks.enumerated().map { index, track in
            let packing = track.aacPacking ?? AACPacking()
            return TrackIngest(
                track: index,
                format: track.format,
                payloadType: track.payloadType,
                transport: transport == .tcp ? .tcp : .udp,
                aacParameters: AACPayloadParameters(
                    sizeLength: packing.sizeLength,
                    indexLength: packing.indexLength,
                    indexDeltaLength: packing.indexDeltaLength
                ),
                reporterSSRC: UInt32.random(in: 1...UInt32.max, using: &random),
                continuing: camera.earlierIngests.indices.contains(index) ? camera.earlierIngests[index] : nil
            )
        }
        camera.earlierIngests = []
        camera.lastMediaAt = now
        camera.reportAt = now + .seconds(1)
        camera.enter(
            .starting,
            reason: "playing by \(transport.rawValue.uppercased()), waiting for a keyframe",
            at: now
        )
        tell(camera, at: now, into: &effects)
    }

    func take(
        _ packets: [StreamPacket],
        _ notices: [IngestNotice],
        track: Int,
        of camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        applyNotices(notices, track: track, of: camera, at: now, into: &effects)
        var admitted: [StreamPacket] = []
        admit(packets, to: camera, at: now, into: &effects, &admitted)
        deliver(admitted, of: camera, at: now, into: &effects)
    }

    private func applyNotices(
        _ notices: [IngestNotice],
        track: Int,
        of camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        for notice in notices {
            switch notice {
            case .parameterSetsChanged(let sets):
                guard camera.stream.tracks.indices.contains(track) else { continue }
                camera.stream.facts.tracks[track].h264 = sets
                tell(camera, at: now, into: &effects)
            case .pictureReorderingDetected(observed: false):
                // An SPS that merely allows B-frames proves nothing.
                break
            case .pictureReorderingDetected(observed: true):
                camera.hasSeenReordering = true
                guard !camera.stream.facts.reordersPictures else { continue }
                camera.stream.facts.reordersPictures = true
                log(
                    .warning,
                    "pictures are reordered (B-frames): viewers get HLS; for WebRTC switch B-frames off in the camera",
                    camera: camera.name,
                    lasting: .reordered(camera: camera.name),
                    at: now
                )
                tell(camera, at: now, into: &effects)
                leaveWebRTC(camera.stream, at: now, into: &effects)
            case .recoveryPointsUsed:
                log(
                    .info,
                    "sends no IDR pictures; viewers join at recovery points",
                    camera: camera.name,
                    at: now
                )
            case .sourceRestarted:
                break
            }
        }
    }

    /// What the RTSP session noticed, where an operator can do something with it.
    private func note(_ notice: RTSPNotice, of camera: Camera, at now: Instant) {
        let text: String
        switch notice {
        case .authenticated(let scheme, inClear: true) where scheme == "Basic":
            text = "the password travels readable (Basic over rtsp); switch Digest on in the camera, or use rtsps"
        case .fallingBackToUDP: text = "refuses TCP, asked for UDP now"
        case .trackRefused(let track, let status):
            text = "refuses track \(track) (status \(status)); goes on without it"
        case .audioSilent: text = "sound is silent while video flows"
        case .unexpectedSourcePort(_, let port): text = "sends from port \(port), not the one it announced"
        case .authenticated, .unknownChannel, .discarded, .keepAliveRefused, .requestFromCamera, .closedAfterKeepAlive:
            return
        }
        log(.info, text, camera: camera.name, at: now)
    }

    /// Takes packets into the stream; notices the first keyframe and the end of a stall.
    private func admit(
        _ packets: [StreamPacket],
        to camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect],
        _ admitted: inout [StreamPacket]
    ) {
        guard !packets.isEmpty else { return }
        let hasVideo = camera.stream.hasVideo
        if !hasVideo || packets.contains(where: { camera.stream.isVideo($0.track) }) { camera.lastMediaAt = now }
        let before = admitted.count
        camera.numbering.admit(packets, kinds: camera.stream.kinds, into: &admitted)
        camera.stream.take(admitted[before...])
        switch camera.state {
        case .starting
        where admitted[before...].contains(where: \.startsKeyframe) || (!hasVideo && admitted.count > before):
            camera.liveSince = now
            camera.enter(.live, at: now)
            ended(.dark(camera: camera.name), at: now)
            log(.ok, "live by \((camera.transport ?? .tcp).rawValue.uppercased())", camera: camera.name, at: now)
            tell(camera, at: now, into: &effects)
        case .stalled where camera.lastMediaAt == now:
            camera.enter(.live, at: now)
            ended(.dark(camera: camera.name), at: now)
            log(.ok, "video is back", camera: camera.name, at: now)
            tell(camera, at: now, into: &effects)
        default:
            break
        }
    }
}
