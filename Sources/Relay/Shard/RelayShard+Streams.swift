import Media
import RTP
import WebRTC
import Wire

/// What shards tell each other of the cameras that viewers of several of them watch.
extension RelayShard {
    /// Names the cameras of other shards, which viewers here may watch, too.
    ///
    /// - Parameter home: The number of the shard that has them.
    public func introduce(_ configurations: [CameraConfiguration], of home: Int) {
        for camera in configurations where streams[camera.name] == nil {
            streams[camera.name] = Stream(name: camera.name, delivery: camera.delivery, home: home)
        }
    }

    /// Another shard says something, or this one to itself.
    public func receive(_ message: ShardMessage, at now: Instant, into effects: inout [ShardEffect]) {
        switch message.content {
        case .fromHome(let news):
            guard let stream = streams[message.camera] else { return }
            hear(news, of: stream, at: now, into: &effects)
        case .fromViewers(let word):
            guard let camera = cameras[message.camera] else { return }
            hear(word, from: message.sender, of: camera, at: now, into: &effects)
        }
    }

    /// Something about a camera whose viewers are here.
    private func hear(
        _ news: ShardMessage.FromHome,
        of stream: Stream,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        switch news {
        case .facts(let facts, let isNews):
            let earlier = stream.facts
            stream.facts = facts
            adapt(stream, from: earlier, isNews: isNews, at: now, into: &effects)
        case .attached(let cache, let attachment):
            // What was meant for an earlier time is late.
            guard attachment == stream.demand.attachment else { return }
            stream.attach(cache, at: now)
            for subscriber in stream.subscribers {
                handleTimeout(of: subscriber.viewer, at: now, into: &effects)
                schedule(subscriber.viewer)
            }
        case .packets(let packets):
            guard stream.isAttached else { return }
            stream.take(packets[...])
            deliver(packets, of: stream, at: now)
        case .interrupted: stream.interrupt()
        case .refresh: refresh(stream, at: now)
        case .fetched(let activity, let viewer):
            guard let viewer = viewers[viewer], viewer.stream === stream else { return }
            viewer.note(activity)
        }
    }

    /// Something about who watches a camera of this shard.
    private func hear(
        _ word: ShardMessage.FromViewers,
        from sender: Int,
        of camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        switch word {
        case .joined(let viewer):
            camera.audience.viewers[viewer] = sender
            camera.unwatchedSince = nil
            if camera.state == .idle { connect(camera, at: now, into: &effects) }
            publish(camera, into: &effects)
        case .left(let viewer):
            camera.audience.viewers[viewer] = nil
            cancelHLS(of: viewer, into: &effects)
        case .demand(let demand):
            let begins = camera.audience.note(demand, of: sender)
            if begins, let attachment = demand.attachment, sender != number {
                let cache = camera.stream.cache
                post(.attached(cache, attachment: attachment), of: camera.stream, to: sender, into: &effects)
            }
            if demand.sound { soundWanted(of: camera, at: now, into: &effects) }
        }
    }

    /// Says something to the shard that has the stream's camera, which may be this one.
    func sayHome(
        _ word: ShardMessage.FromViewers,
        of stream: Stream,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        let message = ShardMessage(camera: stream.name, sender: number, content: .fromViewers(word))
        if stream.home == number {
            receive(message, at: now, into: &effects)
        } else {
            effects.append(.post(message, to: stream.home))
        }
    }

    /// Says something to a shard that has viewers, which may be this one.
    func say(
        _ news: ShardMessage.FromHome,
        of stream: Stream,
        to shard: Int,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        if shard == number {
            hear(news, of: stream, at: now, into: &effects)
        } else {
            post(news, of: stream, to: shard, into: &effects)
        }
    }

    private func post(
        _ news: ShardMessage.FromHome,
        of stream: Stream,
        to shard: Int,
        into effects: inout [ShardEffect]
    ) {
        effects.append(
            .post(ShardMessage(camera: stream.name, sender: number, content: .fromHome(news)), to: shard)
        )
    }

    // MARK: - From home

    /// Tells the other shards what is new of a camera, if anything is.
    func publish(_ camera: Camera, into effects: inout [ShardEffect]) {
        guard camera.stream.isChanged else { return }
        publish(camera.stream, isNews: false, into: &effects)
    }

    private func publish(_ stream: Stream, isNews: Bool, into effects: inout [ShardEffect]) {
        stream.isChanged = false
        guard isNews || stream.facts != stream.published else { return }
        stream.published = stream.facts
        for shard in configuration.others {
            post(.facts(stream.facts, isNews: isNews), of: stream, to: shard, into: &effects)
        }
    }

    /// Tells the camera's pages, on all loops, what it is doing.
    func tell(_ camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        camera.stream.facts.keyframeInterval = camera.videoIngest?.counters(at: now).gopDuration
        camera.noteSound()
        publish(camera.stream, isNews: true, into: &effects)
        tellPages(of: camera.stream, at: now, into: &effects)
    }

    private func tellPages(of stream: Stream, at now: Instant, into effects: inout [ShardEffect]) {
        let info = stream.facts.sourceInfo(at: now)
        for viewer in stream.viewers.values {
            guard let channel = viewer.channel else { continue }
            effects.append(.message(viewer: viewer.id, channel: channel, .source(info)))
        }
    }

    /// Hands packets that were admitted to everybody who gets the stream.
    func deliver(
        _ packets: [StreamPacket],
        of camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard !packets.isEmpty else { return }
        publish(camera, into: &effects)
        for shard in camera.audience.shards where shard != number {
            post(.packets(packets), of: camera.stream, to: shard, into: &effects)
        }
        deliver(packets, of: camera.stream, at: now)
        feedHLS(packets, of: camera, at: now, into: &effects)
        feedSound(packets, of: camera, at: now, into: &effects)
    }

    /// The camera's connection ended.
    func interrupt(_ camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        camera.numbering.interrupt()
        camera.stream.interrupt()
        camera.hls?.interrupt(at: now)
        for shard in camera.audience.shards where shard != number {
            post(.interrupted, of: camera.stream, to: shard, into: &effects)
        }
    }

    // MARK: - For viewers

    private func deliver(_ packets: [StreamPacket], of stream: Stream, at now: Instant) {
        stream.deliver(packets, at: now, into: &outgoing) { [flush] queue in
            if queue.byteCount >= Self.outgoingLimit { flush(&queue) }
        }
        // Live packets bring nothing forward but the tick of a queue that they wait in.
        for subscriber in stream.subscribers where subscriber.viewer.peer?.hasQueue == true {
            schedule(subscriber.viewer)
        }
    }

    /// Shows every subscriber the cached pictures again.
    func refresh(_ stream: Stream, at now: Instant) {
        for subscriber in stream.subscribers where stream.refresh(subscriber.viewer, at: now) {
            schedule(subscriber.viewer)
        }
    }

    /// What is known of a camera changed: ends what no longer fits it.
    func adapt(
        _ stream: Stream,
        from earlier: StreamFacts,
        isNews: Bool,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        if stream.facts.hasOtherCodecs(than: earlier) {
            for viewer in stream.viewers.values where viewer.peer != nil {
                endPeer(of: viewer, .relay("the camera's codecs changed"), at: now, into: &effects)
                log(.info, "must connect again: the camera's codecs changed", viewer: viewer.id, at: now)
            }
        }
        if isNews { tellPages(of: stream, at: now, into: &effects) }
        if stream.facts.reordersPictures, !earlier.reordersPictures { leaveWebRTC(stream, at: now, into: &effects) }
        updateDemand(for: stream, at: now, into: &effects)
    }

    /// Reordered pictures cannot be shown by WebRTC: pages that were just told move to HLS by themselves, everybody else
    /// is let go, with the reason.
    func leaveWebRTC(_ stream: Stream, at now: Instant, into effects: inout [ShardEffect]) {
        let reason = "the camera's pictures are reordered now (B-frames), which WebRTC cannot show; use HLS"
        for viewer in stream.viewers.values where viewer.peer != nil && viewer.channel == nil {
            if viewer.control == .whep {
                log(.warning, "WebRTC ended: \(reason)", camera: stream.name, viewer: viewer.id, at: now)
                end(viewer, reason: reason, retryAfter: nil, at: now, into: &effects)
            } else {
                endPeer(of: viewer, .relay(reason), at: now, into: &effects)
            }
        }
    }

    /// Looks at what all viewers here need.
    func watchDemand(at now: Instant, into effects: inout [ShardEffect]) {
        for stream in streams.values where !stream.viewers.isEmpty {
            updateDemand(for: stream, at: now, into: &effects)
        }
    }

    /// Tells a camera's shard what the viewers here need, when that has changed.
    func updateDemand(for stream: Stream, at now: Instant, into effects: inout [ShardEffect]) {
        var demand = StreamDemand(attachment: nil, sound: false, subscribers: stream.subscribers.count)
        var hasPeers = false
        for viewer in stream.viewers.values {
            if viewer.isGone(at: now) { demand.gone.insert(viewer.id) }
            guard let peer = viewer.peer else { continue }
            hasPeers = true
            if let track = stream.facts.sound?.track, peer.sends(streamTrack: track) { demand.sound = true }
        }
        if hasPeers {
            demand.attachment = stream.demand.attachment ?? nextAttachment
            if stream.demand.attachment == nil { nextAttachment += 1 }
        } else if stream.isAttached {
            stream.detach()
        }
        guard demand != stream.demand else { return }
        stream.demand = demand
        sayHome(.demand(demand), of: stream, at: now, into: &effects)
    }
}
