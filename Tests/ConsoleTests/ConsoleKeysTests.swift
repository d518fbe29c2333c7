import Console
import Relay
import Testing
import Wire

struct ConsoleKeysTests {
    @Test func `e shows what has ended on peers and ICE, and means nothing elsewhere`() {
        var person = Operator(size: Size(columns: 160, rows: 48))
        person.press("2", "e")
        #expect(person.effects.contains { if case .beep = $0 { true } else { false } })
        person.press("3", "e")
        #expect(person.screen(160, 48).contains("Ended WebRTC sessions 4"))
        #expect(person.screen(160, 48).contains("0 checks received in 7.0 s"))
        person.press("4")
        #expect(person.screen(160, 48).contains("Ended candidate pairs 6"))
        person.press("e")
        #expect(person.screen(160, 48).contains("ICE candidate pairs"))
        #expect(person.model.wantedAttempts == nil)
    }

    @Test func `an ended session opens with its pairs, and Esc leads back step by step`() {
        var person = Operator(size: Size(columns: 160, rows: 48))
        person.press("3", "e", "j", "j", .enter)
        #expect(person.screen(160, 48).contains("3 Peers › v82xk2 ended"))
        #expect(person.screen(160, 48).contains("1410 bytes received, 9640 sent on its pair"))
        person.press(.escape)
        #expect(person.screen(160, 48).contains("Ended WebRTC sessions"))
        person.press(.escape)
        #expect(!person.screen(160, 48).contains("Ended WebRTC sessions"))
    }

    @Test func `what has ended is filtered like everything else, and cannot be dropped or switched`() {
        var person = Operator(size: Size(columns: 160, rows: 48))
        person.press("3", "e", "/")
        person.type("rule:refused")
        person.press(.enter)
        #expect(person.screen(160, 48).contains("Ended WebRTC sessions 1/4"))
        person.press("D", "s")
        #expect(person.commands.isEmpty)
    }

    @Test(arguments: [
        ("udp", "directly by UDP"), ("tcp", "directly by TCP"), ("turn/udp", "through TURN by UDP"),
        ("turn/tcp", "through TURN by TCP"), ("turn/tls", "through TURN by TLS"),
    ])
    func `a viewer's detail says how the relay reaches it`(transport: String, words: String) {
        var snapshot = RelayFixture.snapshot()
        for index in snapshot.pairs.indices { snapshot.pairs[index].transport = transport }
        var person = Operator(snapshot, size: Size(columns: 160, rows: 48))
        person.press("3", "j", .enter)
        #expect(person.screen(160, 48).contains("reached \(words), round trip 212 ms"))
    }

    @Test func `what could not leave the media port stands in the first line, and help tells why`() {
        var snapshot = RelayFixture.snapshot()
        snapshot.node.media = MediaPortSnapshot(droppedFull: 0, sendErrors: 0, droppedUnknown: 9, isOffloading: true)
        var person = Operator(snapshot)
        #expect(!person.screen().contains("unsent"))
        snapshot.node.media = MediaPortSnapshot(droppedFull: 41, sendErrors: 2, droppedUnknown: 9, isOffloading: false)
        person.see(snapshot)
        #expect(person.screen().contains(" unsent 43 "))
        person.press("?", .end)
        #expect(person.screen().contains("packets: 41 had no room to leave, 2 the kernel refused"))
    }

    @Test func `restarting a camera with viewers asks first and names them`() {
        var person = Operator()
        person.press("2", "r")
        #expect(person.commands.isEmpty)
        #expect(person.screen().contains("Restart camera ramp-02?"))
        #expect(person.screen().contains("2 viewers (2 WebRTC, 0 HLS) freeze"))
        person.press("y")
        #expect(person.commands.map(\.action) == [.restart(camera: "ramp-02")])
        #expect(person.commands.first?.generation == 51)
        #expect(person.commands.first?.author == "ana@pts/3")
    }

    @Test func `an event lasts until a snapshot comes without it`() {
        var person = Operator()
        person.press("7")
        #expect(person.lines(with: "OPEN").count > 0)
        var later = RelayFixture.snapshot()
        later.events.removeAll { $0.endedAt == nil }
        later.sampledAt += .seconds(60)
        later.wallClock += 60_000
        person.wait(.seconds(1))
        person.see(later)
        #expect(person.lines(with: "OPEN").isEmpty)
    }

    @Test func `the events follow the newest until the cursor is moved from it`() throws {
        var person = Operator()
        person.press("7")
        var later = RelayFixture.snapshot()
        let newest = try #require(later.events.first)
        for number in 1...40 {
            var event = newest
            event.id += UInt64(number)
            event.text = "news number \(number)"
            later.events.insert(event, at: 0)
        }
        later.sampledAt += .seconds(3)
        person.wait(.seconds(3))
        person.see(later)
        #expect(person.screen().contains("news number 40"))
    }

    @Test func `every other key cancels, Enter and the starting key included`() {
        for key in [Key.enter, "r", "K", "n", .escape, " "] {
            var person = Operator()
            person.press("2", "K", key)
            #expect(person.commands.isEmpty)
            #expect(person.screen().contains("cancelled, nothing was done"))
        }
    }

    @Test func `keys pressed before the question could be read do not answer it`() {
        var person = Operator()
        person.press("2", "K")
        person.effects += person.model.handle("y", at: person.now + .milliseconds(100))
        #expect(person.commands.isEmpty)
        #expect(person.screen().contains("Kill camera ramp-02?"))
        person.press("y")
        #expect(person.commands.map(\.action) == [.kill(camera: "ramp-02")])
    }

    @Test func `a camera without viewers is restarted at once`() {
        var person = Operator()
        person.press("2", "/")
        person.type("roof")
        person.press(.enter, "r")
        #expect(person.commands.map(\.action) == [.restart(camera: "roof-cam-a")])
    }

    @Test func `killing a camera with many viewers wants its name`() throws {
        var snapshot = RelayFixture.snapshot()
        let position = try #require(snapshot.cameras.firstIndex { $0.id == "ramp-02" })
        snapshot.cameras[position].webrtcViewers = 40
        var person = Operator(snapshot)
        person.press("2", "K", "y")
        #expect(person.commands.isEmpty)
        person.press(.backspace, .enter)
        #expect(person.commands.isEmpty)
        person.type("ramp-02")
        person.press(.enter)
        #expect(person.commands.map(\.action) == [.kill(camera: "ramp-02")])
    }

    @Test func `the question stays with its camera when the list is sorted anew, and notices that it changed`() throws {
        var person = Operator()
        person.press("2", "K")
        var snapshot = RelayFixture.snapshot(second: 1)
        for position in snapshot.cameras.indices {
            snapshot.cameras[position].severity = snapshot.cameras[position].id == "gate-west" ? .critical : .ok
        }
        person.see(snapshot)
        #expect(person.screen().contains("Kill camera ramp-02?"))
        let position = try #require(snapshot.cameras.firstIndex { $0.id == "ramp-02" })
        snapshot.cameras[position].generation += 1
        snapshot.sampledAt += .milliseconds(250)
        person.see(snapshot)
        person.press("y")
        #expect(person.commands.isEmpty)
        #expect(person.screen().contains("not done: ramp-02 changed while the question was open"))
    }

    @Test func `the cursor stays on its object while the list moves`() {
        var person = Operator()
        person.press("2", "j", "j", "j")
        #expect(person.cursorLine.contains("aisle-14"))
        person.wait(.seconds(3))
        var snapshot = RelayFixture.snapshot(second: 4)
        for position in snapshot.cameras.indices where snapshot.cameras[position].id == "gate-west" {
            snapshot.cameras[position].severity = .critical
        }
        person.see(snapshot)
        #expect(person.cursorLine.contains("aisle-14"))
    }

    @Test func `rows do not move within two seconds of a key`() {
        var person = Operator()
        person.press("2", "j")
        let before = person.screen().split(separator: "\n")[4...9]
        var snapshot = RelayFixture.snapshot(second: 1)
        for position in snapshot.cameras.indices {
            snapshot.cameras[position].severity = snapshot.cameras[position].id == "tank-01" ? .critical : .ok
        }
        person.now += .milliseconds(500)
        person.see(snapshot)
        let names = { (lines: ArraySlice<Substring>) in lines.map { $0.dropFirst(2).prefix(12) } }
        #expect(names(person.screen().split(separator: "\n")[4...9]) == names(before))
        person.wait(.seconds(3))
        #expect(person.screen(80, 60).split(separator: "\n")[4].contains("tank-01"))
    }

    @Test func `a viewer of our page is switched both ways`() {
        var person = Operator()
        person.press("3", "/")
        person.type("v46191")
        person.press(.enter, "s")
        #expect(person.commands.map(\.action) == [.switchViewer("v46191", to: .hls)])
        person.press("a")
        #expect(person.commands.last?.action == .switchViewer("v46191", to: .auto))
    }

    @Test func `a bare WHEP viewer refuses the switch with the reason, and nothing is sent`() throws {
        var person = Operator()
        let whep = try #require(person.snapshot?.viewers.first { $0.control == .whep })
        person.press("3", "/")
        person.type(whep.id)
        person.press(.enter, "s")
        #expect(person.commands.isEmpty)
        #expect(person.screen(160, 48).contains("no control channel, so it can be dropped (D) but not switched"))
        person.press("D", "y")
        #expect(person.commands.map(\.action) == [.drop(viewer: whep.id)])
    }

    @Test func `an operation shows its stages in row and action line and ends in the observed result`() {
        var snapshot = RelayFixture.snapshot()
        snapshot.operations = []
        var person = Operator(snapshot)
        person.press("2", "/")
        person.type("roof")
        person.press(.enter, "r")
        #expect(person.lines(with: "restart roof-cam-a: sent").count == 1)
        person.model.apply(.accepted, to: "c-1", at: person.now)
        var operation = OperationSnapshot(
            id: "c-1",
            verb: "restart",
            camera: "roof-cam-a",
            author: "ana@pts/3",
            startedAt: snapshot.wallClock,
            elapsed: 0.5,
            limit: 10,
            stages: [.init(name: "RTSP connected", after: 0.4)],
            waitingFor: "waiting for keyframe"
        )
        snapshot.operations = [operation]
        snapshot.sampledAt += .milliseconds(500)
        person.see(snapshot)
        #expect(
            person.lines(with: "restart roof-cam-a: waiting for keyframe 0.5s of 10s  RTSP connected 0.4s").count == 1
        )
        #expect(person.screen().contains("~>roof-cam-a"))
        (operation.outcome, operation.result, operation.waitingFor) = (.succeeded, "up in 1.2 s, viewers 0/0 kept", "")
        snapshot.operations = [operation]
        snapshot.sampledAt += .milliseconds(700)
        person.see(snapshot)
        #expect(person.lines(with: "restart roof-cam-a: up in 1.2 s, viewers 0/0 kept").count == 1)
    }

    @Test func `a refusal is shown with its reason, silence is not taken for success`() {
        var snapshot = RelayFixture.snapshot()
        snapshot.operations = []
        var person = Operator(snapshot)
        person.press("2", "/")
        person.type("gate-south")
        person.press(.enter, "f")
        person.wait(.milliseconds(1500))
        #expect(person.screen().contains("keyframe gate-south: the relay has not answered, outcome unknown"))
        person.model.apply(.refused("the camera takes no requests"), to: "c-1", at: person.now)
        #expect(person.screen().contains("keyframe gate-south: refused, the camera takes no requests"))
    }

    @Test func `quitting beside the relay asks, and each answer does what it says`() {
        for key in ["q", "Q", .control("c")] as [Key] {
            var person = Operator()
            person.press(key)
            #expect(person.quit == nil)
            #expect(person.screen().contains("leave the relay running"))
            #expect(person.screen().contains("ends 20 viewers, closes 12 cameras"))
            person.press(.enter)
            #expect(person.quit == nil)
            person.press(key, "d")
            #expect(person.quit == .detach)
            person.press(key, "x")
            #expect(person.quit == .shutdown)
        }
    }

    @Test func `an attached console just quits and may be suspended, one beside the relay may not`() {
        var attached = Operator(mode: .attached(readOnly: false))
        attached.press("q")
        #expect(attached.quit == .detach)
        attached.press(.control("z"))
        #expect(attached.effects.contains { if case .suspend = $0 { true } else { false } })
        var beside = Operator()
        beside.press(.control("z"))
        #expect(!beside.effects.contains { if case .suspend = $0 { true } else { false } })
        #expect(beside.screen().contains("q leaves it running"))
    }

    @Test func `read-only, paused and stale consoles refuse with the reason`() {
        var readOnly = Operator(mode: .attached(readOnly: true))
        readOnly.press("2", "r")
        #expect(readOnly.screen().contains("this console is read-only"))
        var paused = Operator()
        paused.press("2", "p", "r")
        #expect(paused.screen().contains("the display is paused"))
        var stale = Operator()
        stale.press("2")
        stale.isRelaySilent = true
        stale.wait(.seconds(8))
        stale.press("r")
        #expect(stale.screen().contains("the data is 8s old"))
        #expect(readOnly.commands.isEmpty && paused.commands.isEmpty && stale.commands.isEmpty)
    }

    @Test func `a paused display does not move and goes back to live`() {
        var person = Operator()
        person.press("2", "p")
        let frozen = person.screen()
        #expect(frozen.contains("PAUSED"))
        person.now += .seconds(20)
        person.see(RelayFixture.snapshot(cameras: 3, viewers: 0, second: 20))
        #expect(person.screen() == frozen)
        person.press("p")
        person.see(RelayFixture.snapshot(cameras: 3, viewers: 0, second: 21))
        #expect(person.screen().contains("Cameras 3"))
    }

    @Test func `a filter narrows live, Escape takes it back, a second Escape clears it`() {
        var person = Operator()
        person.press("2", "/")
        person.type("gate")
        #expect(person.screen().contains("3 of 12"))
        person.press(.enter)
        #expect(person.screen().contains("Cameras 3/12  /gate"))
        person.press("/", "x", .escape)
        #expect(person.screen().contains("Cameras 3/12  /gate"))
        person.press(.escape)
        #expect(!person.screen().contains("  /gate"))
        person.press("/")
        person.type("nothing like it")
        #expect(person.screen().contains("0 of 12 match"))
    }

    @Test func `a mistake in a filter is marked while the last good filter stays, and is not kept`() {
        var person = Operator()
        person.press("2", "/")
        person.type("gate fps>0")
        person.press(.backspace)
        let screen = person.screen().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(screen[21].hasPrefix(" /gate fps>_"))
        #expect(screen[22].hasPrefix("       ^ fps> wants a number, such as fps>1"))
        #expect(screen[21].contains("3 of 12"))
        person.press(.enter)
        #expect(person.screen().contains("^ fps> wants a number"))
        person.type("0")
        #expect(!person.screen().contains("^"))
        person.press(.enter)
        #expect(person.screen().contains("Cameras 3/12  /gate fps>0"))
    }

    @Test func `keys for viewers say on a camera's row where viewers are`() {
        for key in ["s", "a", "D"] as [Key] {
            var person = Operator()
            person.press("2", key)
            #expect(person.screen().contains("this acts on viewers: select one (3)"))
            #expect(person.commands.isEmpty)
        }
    }

    @Test func `what does not fit into a line is told on the next`() throws {
        var snapshot = RelayFixture.snapshot()
        var person = Operator(snapshot)
        let bare = try #require(person.snapshot?.viewers.first { $0.control == .hls })
        person.press("3", "/")
        person.type(bare.id)
        person.press(.enter, "s")
        let text = person.screen().split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("it has no control channel"))
        #expect(text.contains("it can be dropped (D) but not switched"))
        for position in snapshot.operations.indices {
            snapshot.operations[position].outcome = .succeeded
            snapshot.operations[position].result = (1...60).map { "word\($0)" }.joined(separator: " ")
        }
        person = Operator(snapshot)
        #expect(person.screen().split(separator: "\n").suffix(4).prefix(3).allSatisfy { $0.contains("word") })
        #expect(person.screen().split(separator: "\n").suffix(2).first?.hasSuffix("~") == true)
    }

    @Test func `help is walked through with the keys it lists`() {
        var person = Operator()
        person.press("2", "?")
        let first = person.screen()
        person.press(.end)
        #expect(person.screen().contains("This relay"))
        person.press(.up)
        #expect(person.screen() != first)
        person.press(.home)
        #expect(person.screen() == first)
        person.press("G", "g")
        #expect(person.screen() == first)
        person.press(.escape)
        #expect(!person.screen().contains("Help"))
    }

    @Test func `w asks why only where something is amiss`() {
        var person = Operator()
        person.press("2", "/")
        person.type("kiosk-01")
        person.press(.enter, "w")
        #expect(person.screen().contains("About camera kiosk-01: killed"))
        person.press(.escape, .escape, "/")
        person.type("gate-south")
        person.press(.enter, "w")
        #expect(person.screen().contains("About camera gate-south: live"))
        person.press(.escape, .escape, "/")
        person.type("ramp-02")
        person.press(.enter, "w")
        #expect(person.screen().contains("Why is camera ramp-02 critical?"))
    }

    @Test func `details open with Enter and close with Escape, step by step`() {
        var person = Operator()
        person.press("2", "j", "j", "j", "j", .enter)
        #expect(person.screen().contains("2 Cameras › gate-north"))
        person.press(.enter)
        #expect(person.screen().contains("gate-north › v46191"))
        person.press(.escape)
        #expect(person.screen().contains("2 Cameras › gate-north"))
        person.press(.escape)
        #expect(person.cursorLine.contains("gate-north"))
    }

    @Test func `a detail whose object goes away falls back to the list and says so`() {
        var person = Operator()
        person.press("3", .enter)
        person.wait(.seconds(1))
        person.see(RelayFixture.snapshot(viewers: 0, second: 2))
        #expect(person.screen().contains("has left"))
        #expect(person.screen().contains("Peers 0"))
    }

    @Test func `pasted text does nothing, with and without bracketed paste`() {
        var person = Operator()
        person.press("2", .paste)
        #expect(person.screen().contains("pasted text is ignored"))
        for key in ["w", "p", "p", "S", "r", "D", "s"] as [Key] {
            person.effects += person.model.handle(key, at: person.now)
        }
        #expect(person.commands.isEmpty)
    }

    @Test func `an exclamation mark goes to the next problem`() {
        var person = Operator()
        person.press("2", "o", "!")
        #expect(person.cursorLine.hasPrefix("X>yard-03"))
        person.press("!", "!")
        #expect(person.cursorLine.hasPrefix("!>aisle-14"))
    }

    @Test func `the address and the first notice are on the overview, all notices in help`() {
        var person = Operator()
        #expect(person.screen().contains("https://127.0.0.1:8443/"))
        #expect(person.screen().contains("this machine only: "))
        person.press("?", .pageDown, .pageDown, .pageDown, .pageDown, .pageDown)
        #expect(person.screen().contains("the certificate is self-signed"))
    }

    @Test func `the theme key walks through the themes`() throws {
        var other = Theme.standard
        other.name = "other"
        var person = Operator(themes: [.standard, other])
        person.press("T")
        #expect(person.model.theme.name == "other")
        person.press("T")
        #expect(person.model.theme.name == "signalbox")
    }

    @Test func `only the series on the screen are asked for`() throws {
        var person = Operator(RelayFixture.snapshot(cameras: 300, viewers: 300))
        let request = try #require(person.model.wantedHistory)
        #expect(request.series.count <= 70)
        #expect(request.series.contains(.node(.bitrateIn)))
        person.press("7")
        #expect(person.model.wantedHistory == nil)
    }
}
