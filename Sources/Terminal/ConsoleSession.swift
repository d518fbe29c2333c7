import Console
import Glibc
import Relay
import Wire

/// The loop of a running console: keys and answers in, frames out.
struct ConsoleSession {
    private let device: TerminalDevice
    private let screen: CursesScreen
    private let service: any RelayService
    private let mailbox: Mailbox
    private let options: ConsoleOptions
    private var model: ConsoleModel
    private var size: Size
    private var theme: String
    private var isThemeNew = true
    private var needsFrame = true
    private var nextSample: Instant
    private var nextHistory: Instant
    private var nextAttempts: Instant
    /// When the history that has not come yet was asked for.
    private var historyAskedAt: Instant?
    private var exit: ConsoleExit?

    /// How often the relay is looked at.
    private static let sampleInterval = Duration.milliseconds(250)
    private static let historyInterval = Duration.seconds(1)
    private static let attemptsInterval = Duration.seconds(2)
    /// After this an answer is not waited for any longer (a control socket that broke).
    private static let historyPatience = Duration.seconds(5)
    /// How long the rest of an escape sequence may take to arrive.
    private static let escapeDelay: Int32 = 25

    init(
        _ device: TerminalDevice,
        _ screen: CursesScreen,
        _ service: any RelayService,
        _ mailbox: Mailbox,
        _ options: ConsoleOptions,
        _ glyphs: Glyphs,
        _ size: Size
    ) {
        self.device = device
        self.screen = screen
        self.service = service
        self.mailbox = mailbox
        self.options = options
        self.size = size
        let now = options.clock()
        let configuration = ConsoleConfiguration(
            mode: options.mode,
            author: options.author,
            commandPrefix: "console-\(getpid())-\(UInt32.random(in: 0...UInt32.max))",
            glyphs: glyphs,
            utcOffset: localOffset(),
            themes: options.themes,
            attachCommand: options.attachCommand
        )
        model = ConsoleModel(configuration: configuration, at: now)
        model.resize(size)
        theme = model.theme.name
        nextSample = now
        nextHistory = now
        nextAttempts = now
    }

    mutating func run() -> ConsoleExit {
        TerminalSignals.arm(terminal: device.descriptor, bytes: screen.restoreBytes, modes: device.originalModes)
        device.enterRawMode()
        if !device.send(screen.prologue) { exit = .terminalLost }
        while exit == nil {
            sample()
            present()
            guard exit == nil else { break }
            wait()
        }
        finish()
        return exit ?? .terminalLost
    }

    // MARK: Looking at the relay

    private mutating func sample() {
        let now = options.clock()
        if now >= nextSample {
            model.apply(service.snapshot(), at: now)
            nextSample = now + ConsoleSession.sampleInterval
            needsFrame = true
        }
        let isWaiting = historyAskedAt.map { now - $0 < ConsoleSession.historyPatience } ?? false
        if !isWaiting, now >= nextHistory || model.lacksHistory, let request = model.wantedHistory {
            nextHistory = now + ConsoleSession.historyInterval
            historyAskedAt = now
            Task { [service, mailbox] in mailbox.put(.history(await service.history(request), to: request)) }
        }
        if let request = model.wantedAttempts, now >= nextAttempts {
            nextAttempts = now + ConsoleSession.attemptsInterval
            Task { [service, mailbox] in mailbox.put(.attempts(await service.attempts(request))) }
        } else if model.wantedAttempts == nil {
            nextAttempts = now
        }
        if let request = model.wantedEvents {
            model.askedForEvents()
            Task { [service, mailbox] in mailbox.put(.events(await service.events(request))) }
        }
    }

    private mutating func readMail() {
        for message in mailbox.take() {
            switch message {
            case .reply(let reply, let id): model.apply(reply, to: id, at: options.clock())
            case .history(let reply, let request):
                historyAskedAt = nil
                model.apply(reply, to: request, at: options.clock())
            case .events(let events): model.apply(events, at: options.clock())
            case .attempts(let attempts): model.apply(attempts, at: options.clock())
            }
            needsFrame = true
        }
    }

    // MARK: Drawing

    private mutating func present() {
        guard needsFrame, device.isDrained else { return }
        needsFrame = false
        if model.theme.name != theme {
            theme = model.theme.name
            isThemeNew = true
        }
        let bytes = screen.draw(model.render(size: size), theme: model.theme, isNewTheme: isThemeNew)
        isThemeNew = false
        if !bytes.isEmpty, !device.send(bytes) { exit = .terminalLost }
    }

    // MARK: Waiting

    private mutating func wait() {
        let terminalEvents = POLLIN | (device.isDrained ? 0 : POLLOUT)
        var pollers = [
            pollfd(fd: device.descriptor, events: Int16(terminalEvents), revents: 0),
            pollfd(fd: TerminalSignals.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        let milliseconds = (nextSample - options.clock()).inMilliseconds.rounded(.up)
        let timeout = Int32(min(max(0, milliseconds), 250))
        guard poll(&pollers, nfds_t(pollers.count), timeout) > 0 else { return }
        if pollers[1].revents != 0 { takeSignals() }
        if pollers[2].revents != 0 { readMail() }
        guard exit == nil else { return }
        let terminal = Int32(pollers[0].revents)
        if terminal & POLLOUT != 0, !device.flush() { exit = .terminalLost }
        if terminal & POLLIN != 0 {
            readKeys()
        } else if terminal & (POLLHUP | POLLERR | POLLNVAL) != 0 {
            exit = .terminalLost
        }
    }

    private mutating func takeSignals() {
        for signal in drainDescriptor(TerminalSignals.descriptor) {
            switch Int32(signal) {
            case SIGWINCH: resize()
            case SIGTERM: exit = options.mode == .inProcess ? .shutdown : .detach
            case SIGHUP: exit = .terminalLost
            case SIGINT: press(.control("c"))
            case SIGTSTP: suspend()
            case SIGCONT:
                device.enterRawMode()
                screen.invalidate()
                needsFrame = true
            default: break
            }
        }
    }

    private mutating func resize() {
        let window = device.size
        size = Size(columns: window.columns, rows: window.rows)
        model.resize(size)
        screen.resize(size)
        // What is still on its way was made for the old size.
        needsFrame = true
    }

    private mutating func readKeys() {
        switch device.read() {
        case .lost: exit = .terminalLost
        case .nothing: break
        case .bytes(var bytes):
            while endsInsideEscape(bytes), bytes.count < 65_536, device.hasInput(within: ConsoleSession.escapeDelay) {
                guard case .bytes(let more) = device.read() else { break }
                bytes += more
            }
            for key in screen.keys(from: bytes) where exit == nil { press(key) }
        }
    }

    private mutating func press(_ key: Key) {
        needsFrame = true
        for effect in model.handle(key, at: options.clock()) {
            switch effect {
            case .submit(let command):
                Task { [service, mailbox] in mailbox.put(.reply(await service.submit(command), to: command.id)) }
            case .quit(.detach): exit = .detach
            case .quit(.shutdown): exit = .shutdown
            case .suspend: suspend()
            case .redraw: screen.invalidate()
            case .beep: if device.isDrained, !device.send([0x07]) { exit = .terminalLost }
            case .copy(let text):
                let sequence = "\u{1B}]52;c;\(Base64.encode(Array(text.utf8.prefix(4096))))\u{07}"
                if !device.send(Array(sequence.utf8)) { exit = .terminalLost }
            }
        }
    }

    // MARK: Giving the terminal back

    private mutating func suspend() {
        guard case .attached = options.mode else { return }
        _ = device.send(screen.leave())
        device.drain(milliseconds: 100)
        device.restoreModes()
        kill(getpid(), SIGSTOP)
        device.enterRawMode()
        _ = device.send(screen.prologue)
        resize()
        nextSample = options.clock()
    }

    private func finish() {
        if !device.isDrained {
            // Half a frame may be under way: end whatever sequence it stopped in before saying goodbye.
            device.discardPending()
            _ = device.send([0x18])
        }
        // Also after a hang-up: the signal may have come while somebody still looks at the terminal.
        if device.send(screen.leave()) { device.drain(milliseconds: 100) }
        device.restoreModes()
        TerminalSignals.disarm()
        screen.close()
    }
}

/// Whether the bytes end within an escape sequence, whose rest may be in the next packet.
func endsInsideEscape(_ bytes: [UInt8]) -> Bool {
    guard let start = bytes.lastIndex(of: 0x1B), bytes.count - start < 16 else { return false }
    let rest = bytes[(start + 1)...]
    guard let kind = rest.first else { return true }
    switch kind {
    case UInt8(ascii: "["): return !rest.dropFirst().contains { (0x40...0x7E).contains($0) }
    case UInt8(ascii: "O"): return rest.count < 2
    default: return false
    }
}

/// Seconds that local time is ahead of UTC now.
private func localOffset() -> Int {
    var now = time(nil)
    var local = tm()
    guard localtime_r(&now, &local) != nil else { return 0 }
    return local.tm_gmtoff
}
