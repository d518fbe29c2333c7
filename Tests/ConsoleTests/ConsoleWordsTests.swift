import Console
import Foundation
import Relay
import Testing
import Wire

/// What the screens call things.
struct ConsoleWordsTests {
    @Test func `ids of viewers are shown by their beginning, whole only in the detail and on the clipboard`() throws {
        let id = "v00k3d9ax7q2m5t8w1z4b6c0e"
        var snapshot = RelayFixture.snapshot()
        let old = try #require(snapshot.viewers.first { $0.id == "v46191" }).id
        for index in snapshot.viewers.indices where snapshot.viewers[index].id == old {
            snapshot.viewers[index].id = id
        }
        for index in snapshot.pairs.indices where snapshot.pairs[index].viewer == old {
            snapshot.pairs[index].viewer = id
        }
        for index in snapshot.events.indices where snapshot.events[index].viewer == old {
            snapshot.events[index].viewer = id
        }
        snapshot.operations = [
            OperationSnapshot(
                id: "o",
                verb: "switch to HLS",
                viewer: id,
                author: "ana@pts/3",
                startedAt: snapshot.wallClock,
                elapsed: 1,
                limit: 8
            )
        ]
        var person = Operator(snapshot, size: Size(columns: 160, rows: 48))
        for key in ["1", "2", "3", "4", "5", "6", "7"] as [Key] {
            person.press(key)
            #expect(!person.screen(160, 48).contains(id.prefix(9)), "\(key)")
            #expect(person.screen(160, 48).contains("switch to HLS v00k3d9: running"))
        }
        #expect(person.screen(160, 48).contains("v00k3d9 "), "in the list of events")
        person.press("3", "/")
        person.type("v00k3d9")
        person.press(.enter, "w")
        #expect(person.screen(160, 48).contains("viewer v00k3d9 "))
        person.press(.escape, "D")
        #expect(person.screen(160, 48).contains("Drop viewer v00k3d9?"))
        person.press("n", .enter)
        let detail = person.screen(160, 48)
        #expect(detail.contains("3 Peers › v00k3d9 ") && detail.contains("v00k3d9 from its offer"))
        #expect(detail.contains("id       \(id)"))
        person.press("y")
        #expect(person.effects.contains { if case .copy(id) = $0 { true } else { false } })
    }

    @Test func `a tab in the background is said to be one, and cannot be switched`() throws {
        var snapshot = RelayFixture.snapshot()
        let index = try #require(snapshot.viewers.firstIndex { $0.id == "v46191" })
        var report = ViewerReport()
        (report.playing, report.isHidden) = (.webrtc, true)
        snapshot.viewers[index].report = report
        snapshot.viewers[index].state = .playing
        (snapshot.viewers[index].severity, snapshot.viewers[index].why) = (.info, "tab in background")
        var person = Operator(snapshot, size: Size(columns: 160, rows: 48))
        person.press("3", "/")
        person.type("v46191")
        person.press(.enter)
        #expect(person.screen(160, 48).contains(" hidden "))
        #expect(person.screen(160, 48).contains("tab in background"))
        person.press("s")
        #expect(person.commands.isEmpty)
        #expect(person.screen(160, 48).contains("v46191: its tab is in the background"))
        person.press("a")
        #expect(person.commands.map(\.action) == [.switchViewer("v46191", to: .auto)], "its page can be told")
    }

    @Test func `a summary in a title begins with no separator`() {
        var snapshot = RelayFixture.snapshot()
        snapshot.pairs = []
        var person = Operator(snapshot, size: Size(columns: 160, rows: 48))
        person.press("4")
        let title = person.screen(160, 48).split(separator: "\n").first { $0.contains("ICE candidate pairs 0") } ?? ""
        #expect(title.contains("─ 3 TURN allocations"))
    }

    @Test func `how long a camera is in its state and what was done to it are two things`() throws {
        var snapshot = RelayFixture.snapshot()
        var operation = OperationSnapshot(
            id: "o",
            verb: "kill",
            camera: "gate-south",
            author: "ana@pts/3",
            startedAt: snapshot.wallClock,
            elapsed: 1,
            limit: 8
        )
        (operation.outcome, operation.result) = (.succeeded, "stopped, 2 viewers stay and are told")
        snapshot.operations = [operation]
        var person = Operator(snapshot, size: Size(columns: 160, rows: 48))
        person.press("2", "/")
        person.type("gate-south")
        person.press(.enter, .enter)
        let screen = person.screen(160, 48)
        #expect(!screen.contains("told for") && screen.contains("state    live for"))
        #expect(screen.contains("action   stopped, 2 viewers stay and are told"))
    }

    @Test func `in a camera's detail w is about the camera, in a viewer's about the viewer`() {
        var person = Operator(size: Size(columns: 160, rows: 48))
        person.press("2", "/")
        person.type("gate-north")
        person.press(.enter, .enter, "w")
        #expect(person.screen(160, 48).contains("camera gate-north "))
        person.press(.escape, .enter, "w")
        #expect(person.screen(160, 48).contains("Why is viewer v46191 warning?"))
    }

    @Test func `where the score has another cause than the row, each has its own remedy`() throws {
        var snapshot = RelayFixture.snapshot()
        let index = try #require(snapshot.viewers.firstIndex { $0.id == "v46191" })
        snapshot.viewers[index].hint = Cause.clientNetwork.remedy(canSwitch: true)
        func why(_ cause: Cause) -> String {
            snapshot.viewers[index].score = ViewerScore(value: 40, cause: cause, reason: "frozen 12 % of the time")
            var person = Operator(snapshot, size: Size(columns: 160, rows: 48))
            person.press("3", "j", "w")
            return person.screen(160, 48)
        }
        #expect(why(.server).contains("do      The relay is late with its own work"))
        #expect(why(.server).contains("do      Its network loses or delays packets"))
        #expect(why(.clientNetwork).components(separatedBy: " do      ").count == 2, "said once")
    }

    @Test func `what a delivery does not have is not shown as unknown`() throws {
        var person = Operator(size: Size(columns: 160, rows: 48))
        let viewer = try #require(person.snapshot?.viewers.first { $0.delivery == .hls && $0.control == .page })
        person.press("3", "/")
        person.type(viewer.id)
        person.press(.enter, .enter)
        let screen = person.screen(160, 48)
        #expect(screen.contains("this viewer has no candidate pairs"))
        #expect(!screen.contains("rtt -") && !screen.contains("feedback"))
    }

    @Test func `columns take the room there is, and what they need first`() throws {
        var snapshot = RelayFixture.snapshot()
        let name = "warehouse/gate-north/camera-17"
        snapshot.events[0].camera = name
        snapshot.events[0].viewer = nil
        let why = "loss 3.8 % (warns from 2.0 %)"
        for index in snapshot.viewers.indices { snapshot.viewers[index].why = why }
        var person = Operator(snapshot, size: Size(columns: 160, rows: 48))
        person.press("7")
        #expect(person.screen(160, 48).contains(" \(name) "))
        person.press("3")
        #expect(person.screen(160, 48).contains(" \(why) "))
    }

    @Test func `keys that mean nothing on a screen are not in its key line`() {
        var person = Operator(size: Size(columns: 160, rows: 48))
        #expect(person.screen(160, 48).contains(" - zoom"))
        person.press("7")
        #expect(!person.screen(160, 48).contains(" - zoom"))
    }

    @Test func `one viewer freezes, two freeze`() throws {
        var snapshot = RelayFixture.snapshot()
        let index = try #require(snapshot.cameras.firstIndex { $0.id == "ramp-02" })
        snapshot.cameras[index].webrtcViewers = 1
        var person = Operator(snapshot)
        person.press("2", "r")
        #expect(person.screen().contains("1 viewer (1 WebRTC, 0 HLS) freezes until"))
        person.press("n", "K")
        #expect(person.screen().contains("1 viewer (1 WebRTC, 0 HLS) sees nothing until"))
    }

    @Test func `the round trip of a viewer is one figure wherever it stands`() throws {
        var snapshot = RelayFixture.snapshot()
        for index in snapshot.viewers.indices where snapshot.viewers[index].id == "v46191" {
            snapshot.viewers[index].roundTrip = 320
        }
        var person = Operator(snapshot, size: Size(columns: 160, rows: 48))
        person.press("3", "j", .enter)
        let screen = person.screen(160, 48)
        #expect(screen.contains("round trip 320 ms") && screen.contains("rtt 320 ms"))
    }

    @Test(arguments: [Size(columns: 80, rows: 24), Size(columns: 160, rows: 48)])
    func `every step of a start has its name in full, a bar and a time`(size: Size) {
        var person = Operator(size: size)
        person.press("3", "j", .enter)
        let lines = person.screen(size.columns, size.rows).split(separator: "\n")
        for name in ["first RTP", "first decoded frame", "first RR"] {
            let line = lines.first { $0.contains(" \(name) ") && $0.contains("█") }
            #expect(line?.contains(" ms") == true, "\(name)")
        }
    }
}
