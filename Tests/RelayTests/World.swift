import DTLS
import RTSP
import TestSupport
import Testing
import Wire

@testable import Relay

/// A shard, its cameras and their viewers' ends, in virtual time: a minute passes in milliseconds, the same every run.
///
/// A second shard has no cameras; viewers that come while ``placement`` is `.away` are its own.
///
/// Plays the shell: carries out effects, holds the contract of ``ShardEffect`` to account, and checks after every
/// timeout that the next deadline lies ahead.
final class World {
    /// The shard that has the cameras.
    let shard: RelayShard
    /// Another.
    let away: RelayShard
    /// Where viewers are taken in that do not come by HLS.
    var placement = Placement.home
    /// How long what one shard says to the other is on its way.
    var hop: Duration?
    /// Hears what the shards say to each other.
    var overhear: ((ShardMessage) -> Void)?
    let events = EventLog()
    let ended = AttemptLog()
    private(set) var now = Instant(nanoseconds: 100_000_000_000)
    private(set) var cameras: [String: ScriptedCamera] = [:]
    /// Connections asked for: camera and when.
    private(set) var connects: [(camera: String, at: Instant)] = []
    /// What each viewer's page was told, over all its channels.
    private(set) var messages: [String: [ViewerMessage]] = [:]
    private(set) var openChannels: [String: UInt64] = [:]
    private(set) var claims: Set<String> = []
    private(set) var claimedPaths: [FiveTuple: String] = [:]
    private(set) var pendingTickets: Set<UInt64> = []
    private(set) var responses: [UInt64: HLSResponse] = [:]
    /// The codec processes, as far as the shell would have them.
    let codecs = ScriptedCodecs()
    /// Takes datagrams for viewers.
    var receiveDatagram: ((FiveTuple, [UInt8]) -> Void)?
    /// Calls of `handleTimeout`.
    private(set) var wakeUps = 0

    private var attempts: [String: UInt64] = [:]
    /// Cameras with a connection that stands or is being made.
    private(set) var connected: Set<String> = []
    private var agenda: [(at: Instant, order: Int, event: Event)] = []
    private var order = 0

    enum Placement: CaseIterable { case home, away }

    fileprivate enum Event {
        case message(ShardMessage, to: Int)
        case connected(String, UInt64)
        case failed(String, UInt64, ConnectionFailure)
        case bytes(String, UInt64, [UInt8])
        case ports(String, UInt64, Int)
        case picture(String, UInt64)
    }

    static let context = try? DTLSContext.selfSigned()
    static let wallClockAtStart: Int64 = 1_800_000_000_000

    init(
        _ cameras: [CameraConfiguration],
        delivery: DeliveryPolicy = .auto,
        address: IPAddress = IPAddress(v4: 0xC000_0201),
        seed: UInt64 = 1,
        convertsSound: Bool = false,
        _ prepare: (ScriptedCamera) -> Void = { _ in }
    ) throws {
        let start = now
        let (events, ended, context) = (events, ended, try #require(Self.context))
        func shard(_ number: UInt16, other: Int, seed: UInt64) -> RelayShard {
            RelayShard(
                configuration: ShardConfiguration(
                    candidates: [TransportAddress(address, port: 8_189)],
                    certificate: context,
                    clock: RelayClock(monotonicNow: start, unixMilliseconds: Self.wallClockAtStart),
                    delivery: delivery,
                    instance: number,
                    others: [other],
                    convertsSound: convertsSound
                ),
                events: events,
                attempts: ended,
                random: SeededGenerator(seed: seed),
                at: start
            )
        }
        self.shard = shard(3, other: 4, seed: seed)
        away = shard(4, other: 3, seed: seed &+ 1)
        away.introduce(cameras, of: 3)
        for camera in cameras {
            let scripted = ScriptedCamera(camera.name)
            prepare(scripted)
            self.cameras[camera.name] = scripted
        }
        input { self.shard.configure(cameras, at: $0, into: &$1) }
    }

    /// The shard that has the viewer, or would have.
    func shard(of viewer: String) -> RelayShard { RelayShard.viewerShard(of: viewer) == 4 ? away : shard }

    /// Whether there is such a viewer.
    func owns(_ viewer: String) -> Bool { shard(of: viewer).owns(viewer: viewer) }

    /// Everything there is to see of both shards.
    var snapshot: ShardSnapshot { .merged([shard.snapshot(at: now), away.snapshot(at: now)]) }

    private var nextDeadline: Instant? { earliest(shard.nextDeadline, away.nextDeadline) }

    /// A world with one camera called `gate`.
    convenience init(
        delivery: DeliveryPolicy = .auto,
        onDemand: Bool = false,
        _ prepare: (ScriptedCamera) -> Void = { _ in }
    ) throws {
        try self.init([try .scripted("gate", onDemand: onDemand)], delivery: delivery, prepare)
    }

    /// The first camera.
    var gate: ScriptedCamera {
        get throws { try #require(cameras["gate"]) }
    }

    // MARK: - Time

    /// Lets time pass: everything that is due happens, in order.
    func run(_ duration: Duration) throws {
        let end = now + duration
        while let next = earliest(nextDeadline, agenda.map(\.at).min()), next <= end {
            now = max(now, next)
            if let deadline = nextDeadline, deadline <= now {
                try timeout()
            } else {
                try happen()
            }
        }
        now = end
    }

    /// Lets time pass until something holds; at most `limit`.
    func run(atMost limit: Duration, until condition: () -> Bool) throws {
        let end = now + limit
        while !condition(), now < end { try run(.milliseconds(5)) }
        try #require(condition(), "did not come about within \(limit)")
    }

    private func timeout() throws {
        wakeUps += 1
        for shard in [shard, away] where shard.nextDeadline.map({ $0 <= now }) ?? false {
            input { shard.handleTimeout(at: $0, into: &$1) }
            let next = shard.nextDeadline
            try #require(next.map { $0 > now } ?? true, "a deadline that was served must move")
        }
    }

    private func happen() throws {
        guard
            let index = agenda.indices.min(by: { (agenda[$0].at, agenda[$0].order) < (agenda[$1].at, agenda[$1].order) }
            )
        else { return }
        let event = agenda.remove(at: index).event
        switch event {
        case .message(let message, let number): tell(message, to: number)
        case .connected(let name, let attempt):
            cameras[name]?.connected()
            input { shard.cameraConnected(name, attempt: attempt, at: $0, into: &$1) }
        case .failed(let name, let attempt, let failure):
            input { shard.cameraFailed(failure, camera: name, attempt: attempt, at: $0, into: &$1) }
        case .bytes(let name, let attempt, let bytes):
            input { shard.cameraReceived(bytes, camera: name, attempt: attempt, at: $0, into: &$1) }
            if let camera = cameras[name], camera.isPlaying, attempts[name] == attempt { plan(.picture(name, attempt)) }
        case .ports(let name, let attempt, let track):
            input {
                shard.cameraPorts(camera: name, attempt: attempt, track: track, rtpPort: 40_000, at: $0, into: &$1)
            }
        case .picture(let name, let attempt):
            guard let camera = cameras[name], camera.isPlaying, attempts[name] == attempt else { return }
            let bytes = camera.nextPicture()
            plan(.picture(name, attempt), after: camera.interval)
            if !bytes.isEmpty {
                input { shard.cameraReceived(bytes, camera: name, attempt: attempt, at: $0, into: &$1) }
            }
        }
    }

    private func plan(_ event: Event, after delay: Duration = .zero) {
        if case .picture(let name, _) = event {
            // One stream of pictures per connection.
            let isPlanned = agenda.contains { if case .picture(name, _) = $0.event { true } else { false } }
            if isPlanned { return }
        }
        order += 1
        agenda.append((now + delay, order, event))
    }

    // MARK: - Inputs

    /// Gives the shard an input and carries out what it wants.
    func input(_ body: (Instant, inout [ShardEffect]) -> Void) {
        var effects: [ShardEffect] = []
        body(now, &effects)
        for effect in effects { carryOut(effect) }
        for shard in [shard, away] {
            let datagrams = shard.outgoing.entries.map { ($0.path, Array(shard.outgoing.datagram($0))) }
            shard.outgoing.removeAll()
            for (path, datagram) in datagrams { receiveDatagram?(path, datagram) }
        }
    }

    private func tell(_ message: ShardMessage, to number: Int) {
        let shard = number == 4 ? away : shard
        input { shard.receive(message, at: $0, into: &$1) }
    }

    /// The camera ends the connection.
    func closeCamera(_ name: String = "gate") {
        guard connected.contains(name), let attempt = attempts[name] else { return }
        cameras[name]?.disconnected()
        input { shard.cameraClosed(camera: name, attempt: attempt, at: $0, into: &$1) }
    }

    /// Something arrives from the camera's host.
    func send(_ bytes: [UInt8], from name: String) {
        guard connected.contains(name), let attempt = attempts[name] else { return }
        input { shard.cameraReceived(bytes, camera: name, attempt: attempt, at: $0, into: &$1) }
    }

    /// The page has its channel.
    func opened(_ channel: UInt64, of viewer: String) { openChannels[viewer] = channel }

    /// A request waits.
    func waits(_ ticket: UInt64) { #expect(pendingTickets.insert(ticket).inserted, "a ticket is new") }

    /// The client of a request that waits has gone.
    func cancel(_ ticket: UInt64) {
        pendingTickets.remove(ticket)
        shard.hlsCancelled(ticket: ticket)
    }

    func receive(_ datagram: [UInt8], path: FiveTuple) {
        // Whose it is not ignores it.
        for shard in [shard, away] { input { shard.receive(datagram, path: path, at: $0, into: &$1) } }
    }

    private func carryOut(_ effect: ShardEffect) {
        switch effect {
        case .connect(let name, let attempt, _, _, _):
            #expect(attempt > attempts[name] ?? 0, "an attempt's number is new")
            connects.append((name, now))
            #expect(connected.insert(name).inserted, "one connection at a time")
            attempts[name] = attempt
            switch cameras[name]?.reach {
            case .accepts: plan(.connected(name, attempt), after: .milliseconds(5))
            case .fails(.refused): plan(.failed(name, attempt, .refused), after: .milliseconds(5))
            case .fails(.timedOut): plan(.failed(name, attempt, .timedOut), after: .seconds(5))
            case .fails(.unresolvable):
                plan(.failed(name, attempt, .unresolvable(host: name)), after: .milliseconds(5))
            case .neverAnswers, nil: break
            }
        case .write(let name, let attempt, let bytes):
            #expect(attempts[name] == attempt && connected.contains(name), "written to a connection that is no more")
            guard let camera = cameras[name], let answer = try? camera.received(bytes), !answer.isEmpty else { return }
            plan(.bytes(name, attempt, answer), after: .milliseconds(1))
        case .openPorts(let name, let attempt, let track): plan(.ports(name, attempt, track))
        case .sendDatagram: break
        case .disconnect(let name, let attempt):
            #expect(attempts[name] == attempt && connected.remove(name) != nil, "a connection is given up once")
            cameras[name]?.disconnected()
            agenda.removeAll { $0.event.isOf(name, attempt) }
        case .claim(let ufrag): #expect(claims.insert(ufrag).inserted)
        case .release(let ufrag):
            #expect(claims.remove(ufrag) != nil, "only what was claimed is released")
            claimedPaths = claimedPaths.filter { $0.value != ufrag }
        case .claimPath(let path, let ufrag):
            #expect(claims.contains(ufrag))
            claimedPaths[path] = ufrag
        case .message(let viewer, let channel, let message):
            #expect(openChannels[viewer] == channel, "a message goes to the channel in use")
            messages[viewer, default: []].append(message)
        case .endMessages(let viewer, let channel):
            if openChannels[viewer] == channel { openChannels[viewer] = nil }
        case .startSound, .writeSound, .stopSound: codecs.carryOut(effect)
        case .hlsResponse(let ticket, let response):
            #expect(pendingTickets.remove(ticket) != nil, "a request is answered once")
            responses[ticket] = response
        case .post(let message, let number):
            overhear?(message)
            guard let hop else { return tell(message, to: number) }
            plan(.message(message, to: number), after: hop)
        }
    }
}

extension World.Event {
    fileprivate func isOf(_ name: String, _ number: UInt64) -> Bool {
        switch self {
        case .message: false
        case .connected(let camera, let attempt), .failed(let camera, let attempt, _),
            .bytes(let camera, let attempt, _), .ports(let camera, let attempt, _), .picture(let camera, let attempt):
            camera == name && attempt == number
        }
    }
}
