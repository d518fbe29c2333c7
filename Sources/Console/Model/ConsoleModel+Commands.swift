import Relay
import Wire

extension ConsoleModel {
    mutating func cameraCommand(_ id: ConsoleCommand.ID) -> [ConsoleEffect] {
        guard let camera = id == .keyframe ? relatedCamera : subjectCamera else { return [.beep] }
        switch id {
        case .restart where camera.viewers > 0:
            ask(
                .restart(camera: camera.id),
                camera,
                "Restart camera \(camera.id)?",
                consequences: [
                    "\(affected(camera)) \(camera.viewers == 1 ? "freezes" : "freeze") until its next keyframe, usually 1 to 3 s.",
                    "They stay connected; their pages are not reloaded.",
                ]
            )
            return []
        case .restart: return submit(.restart(camera: camera.id), camera.id, camera.generation)
        case .kill:
            ask(
                .kill(camera: camera.id),
                camera,
                "Kill camera \(camera.id)?",
                consequences: [
                    camera.viewers > 0
                        ? "\(affected(camera)) \(camera.viewers == 1 ? "sees" : "see") nothing until it is started again."
                        : "Nobody watches it now.",
                    "They stay connected and are told. Reversible: S starts it.",
                ],
                mustType: camera.viewers > Confirmation.typingAbove
            )
            return []
        case .start: return submit(.start(camera: camera.id), camera.id, camera.generation)
        default: return submit(.keyframe(camera: camera.id), camera.id, camera.generation)
        }
    }

    mutating func viewerCommand(_ id: ConsoleCommand.ID) -> [ConsoleEffect] {
        guard let viewer = subjectViewer else { return [.beep] }
        switch id {
        case .switchDelivery:
            let other: DeliveryPolicy = viewer.delivery == .webrtc ? .hls : .webrtc
            return submit(.switchViewer(viewer.id, to: other), viewer.id, viewer.generation)
        case .automatic: return submit(.switchViewer(viewer.id, to: .auto), viewer.id, viewer.generation)
        default:
            overlay = .confirm(
                Confirmation(
                    action: .drop(viewer: viewer.id),
                    object: viewer.id,
                    generation: viewer.generation,
                    title: "Drop viewer \(Wording.viewer(viewer.id))?",
                    lines: [
                        "1 viewer: \(viewer.client.isEmpty ? "unknown client" : viewer.client) at \(viewer.remote), watching \(viewer.camera)",
                        "by \(Wording.delivery(viewer.delivery)) for \(Format.calmAge(viewer.age)).",
                        "Its session ends. It may join again by itself.",
                    ],
                    mustType: false,
                    openedAt: now
                )
            )
            return []
        }
    }

    private func affected(_ camera: CameraSnapshot) -> String {
        "\(Format.plural(camera.viewers, "viewer")) (\(camera.webrtcViewers) WebRTC, \(camera.hlsViewers) HLS)"
    }

    private mutating func ask(
        _ action: Command.Action,
        _ camera: CameraSnapshot,
        _ title: String,
        consequences: [String],
        mustType: Bool = false
    ) {
        let state = "Now: \(Wording.state(camera.state))" + (camera.uptime.map { ", up \(Format.calmAge($0))" } ?? "")
        overlay = .confirm(
            Confirmation(
                action: action,
                object: camera.id,
                generation: camera.generation,
                title: title,
                lines: consequences + ["\(state), generation \(camera.generation)."],
                mustType: mustType,
                openedAt: now
            )
        )
    }

    /// Sends a command and remembers it until its operation shows up.
    mutating func submit(_ action: Command.Action, _ object: String, _ generation: UInt64) -> [ConsoleEffect] {
        commandCount += 1
        let command = Command(
            id: "\(configuration.commandPrefix)-\(commandCount)",
            action: action,
            author: configuration.author,
            generation: generation
        )
        let name = action.viewer.map(Wording.viewer) ?? object
        requests.append(Request(id: command.id, text: "\(action.verb) \(name)", state: .sent, sentAt: now))
        return [.submit(command)]
    }

    // MARK: Overlays

    mutating func handle(_ key: Key, in overlay: Overlay) -> [ConsoleEffect] {
        switch overlay {
        case .help(let scroll): return handleHelp(key, scroll)
        case .why:
            self.overlay = nil
            return key == "w" || key == .escape || key == "q" || key == .enter ? [] : handle(key, at: now)
        case .filter(let before): return editFilter(key, before)
        case .confirm(let confirmation): return handle(key, confirmation)
        case .quit(let openedAt): return handleQuit(key, openedAt)
        }
    }

    private mutating func handleHelp(_ key: Key, _ scroll: Int) -> [ConsoleEffect] {
        let end = helpEnd
        let page = max(1, size.rows - 6)
        switch key {
        case .down, "j": overlay = .help(scroll: min(scroll + 1, end))
        case .up, "k": overlay = .help(scroll: max(0, min(scroll, end) - 1))
        case .pageDown, " ", .control("d"), .control("f"): overlay = .help(scroll: min(scroll + page, end))
        case .pageUp, .control("u"), .control("b"): overlay = .help(scroll: max(0, min(scroll, end) - page))
        case .home, "g": overlay = .help(scroll: 0)
        case .end, "G": overlay = .help(scroll: end)
        default: overlay = nil
        }
        return []
    }

    private mutating func editFilter(_ key: Key, _ before: Filter) -> [ConsoleEffect] {
        let text = table(pane).filter.text
        switch key {
        case .enter where table(pane).filter.mistake(in: pane.vocabulary) != nil: return [.beep]
        case .enter: overlay = nil
        case .escape, .control("c"):
            overlay = nil
            setFilter(before.text)
        case .backspace, .delete: setFilter(String(text.dropLast()))
        case .control("u"): setFilter("")
        case .control("w"): setFilter(text.split(separator: " ").dropLast().map { $0 + " " }.joined())
        case .up: withTable(pane) { $0.move(-1) }
        case .down: withTable(pane) { $0.move(1) }
        case .character(let scalar): if CharacterKind(scalar) != .unsafe { setFilter(text + String(scalar)) }
        default: break
        }
        return []
    }

    private mutating func handle(_ key: Key, _ confirmation: Confirmation) -> [ConsoleEffect] {
        guard now - confirmation.openedAt >= Confirmation.deafFor else { return [] }
        if confirmation.mustType {
            var confirmation = confirmation
            switch key {
            case .escape, .control("c"): cancel()
            case .backspace:
                confirmation.typed = String(confirmation.typed.dropLast())
                overlay = .confirm(confirmation)
            case .enter where confirmation.typed == confirmation.object: return confirm(confirmation)
            case .character(let scalar):
                confirmation.typed = String((confirmation.typed + String(scalar)).prefix(128))
                overlay = .confirm(confirmation)
            default: break
            }
            return []
        }
        if key == "y" { return confirm(confirmation) }
        cancel()
        return []
    }

    private mutating func cancel() {
        overlay = nil
        say("cancelled, nothing was done", .info, for: .seconds(3))
    }

    private mutating func confirm(_ confirmation: Confirmation) -> [ConsoleEffect] {
        overlay = nil
        if let obstacle = actionObstacle {
            say("not done: \(obstacle)", .warning)
            return [.beep]
        }
        let current =
            confirmation.action.camera != nil
            ? camera(confirmation.object)?.generation : viewer(confirmation.object)?.generation
        guard let current else {
            say("not done: \(confirmation.name) is gone", .warning)
            return [.beep]
        }
        guard current == confirmation.generation else {
            say("not done: \(confirmation.name) changed while the question was open", .warning, for: .seconds(10))
            return [.beep]
        }
        return submit(confirmation.action, confirmation.object, confirmation.generation)
    }

    private mutating func handleQuit(_ key: Key, _ openedAt: Instant) -> [ConsoleEffect] {
        guard now - openedAt >= Confirmation.deafFor else { return [] }
        switch key {
        case "d", "D":
            overlay = nil
            return [.quit(.detach)]
        case "x", "X":
            overlay = nil
            return [.quit(.shutdown)]
        default:
            overlay = nil
            return []
        }
    }
}
