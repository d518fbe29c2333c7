import ArgumentParser
import Foundation
import Testing
import Wire

@testable import signalbox

/// What the command line says.
struct CommandLineTests {
    @Test(arguments: [
        ("No relay is running on /x/control.sock.", "Start one.", "No relay is running on /x/control.sock. Start one."),
        ("there is no theme x", "Looked for it", "there is no theme x. Looked for it."),
        ("is it there?", "Look!", "is it there? Look!"),
    ])
    func `a failure is told in whole sentences, each with one full stop`(problem: String, remedy: String, text: String)
    {
        #expect(StartFailure(problem: problem, remedy: remedy).description == text)
    }

    @Test func `a word that is no command of ctl is named, whatever options follow`() throws {
        let text = try #require(ControlCommand.unknownSubcommand(["ctl", "frob", "--state-dir", "/x"]))
        #expect(text.hasPrefix("there is no `ctl frob`. Use one of: cameras, viewers, "))
        for arguments in [["ctl", "cameras"], ["ctl", "help"], ["ctl", "--help"], ["ctl"], ["serve", "frob"], []] {
            #expect(ControlCommand.unknownSubcommand(arguments[...]) == nil)
        }
    }

    @Test(arguments: [
        ("bogus", nil as String?), ("chek", "`signalbox check`"), ("demos", "`signalbox demo`"),
        ("sreve", "`signalbox serve`"),
        ("att", "`signalbox attach`"), ("Attach", "`signalbox attach`"), ("10.0.0.1/live", "rtsp://10.0.0.1/live"),
        ("x", nil),
    ])
    func `a word that is neither command nor address is named, with what was meant`(word: String, meant: String?) {
        let failure = #expect(throws: StartFailure.self) { _ = try ConsoleCommand.camera(word, number: 1) }
        let text = failure?.description ?? ""
        #expect(text.hasPrefix("`\(word)` is neither a command nor a camera's address. "))
        #expect(text.contains("Commands: console, serve, demo, attach, ctl, check; "))
        #expect(text.contains("Did you mean") == (meant != nil))
        #expect(meant.map { text.contains("Did you mean \($0)?") } ?? true)
        #expect(failure?.exitCode == 2)
    }

    @Test func `an address of another kind is told what is wrong with it`() {
        let failure = #expect(throws: StartFailure.self) {
            _ = try ConsoleCommand.camera("http://10.0.0.1/", number: 1)
        }
        #expect(failure?.description.contains("only rtsp and rtsps work") == true)
    }

    @Test func `pages have every address that somebody elsewhere can use, or the reason why none`() throws {
        func addresses(_ https: String?, advertise: [String] = [], own: [String] = []) throws -> PageAddresses {
            PageAddresses(
                https: try https.map { TransportAddress(try #require(IPAddress($0)), port: 8443) },
                http: TransportAddress(IPAddress(v4: 0x7F00_0001), port: 8080),
                advertise: try advertise.map { try #require(IPAddress($0)) },
                interfaces: try own.map { try #require(IPAddress($0)) }
            )
        }
        let all = try addresses("::", advertise: ["203.0.113.10"], own: ["10.0.0.5", "203.0.113.10", "fd00::2"])
        #expect(all.urls == ["https://203.0.113.10:8443/", "https://10.0.0.5:8443/", "https://[fd00::2]:8443/"])
        #expect(all.obstacle == nil)
        #expect(try addresses("0.0.0.0", own: ["10.0.0.5", "fd00::2"]).urls == ["https://10.0.0.5:8443/"])
        #expect(try addresses("10.0.0.5", own: ["10.0.0.6"]).urls == ["https://10.0.0.5:8443/"])
        let none = try addresses("::")
        #expect(none.urls == ["https://127.0.0.1:8443/"])
        #expect(none.obstacle == "this machine has no address that others could open: name one under `advertise`")
        #expect(try addresses("127.0.0.1", own: ["10.0.0.5"]).obstacle?.hasSuffix("is a loopback address") == true)
        let plain = try addresses(nil, own: ["10.0.0.5"])
        #expect(plain.urls == ["http://127.0.0.1:8080/"] && plain.obstacle?.hasSuffix("`listen.https` is off") == true)
    }

    @Test func `a viewer may be named by the beginning of its id, as long as it is the only one`() throws {
        let living = ["v00abcdefgh", "v00abxyzuvw", "v01abcdefgh"]
        func id(_ word: String) -> Result<String, StartFailure> {
            Result { () throws(StartFailure) in try ViewerName(word: word).id(among: living, ended: ["v02left"]) }
        }
        #expect(try id("v00abcdefgh").get() == "v00abcdefgh")
        #expect(try id("v00abc").get() == "v00abcdefgh")
        #expect(try id("v01").get() == "v01abcdefgh")
        #expect(try id("v02").get() == "v02left")
        guard case .failure(let ambiguous) = id("v00ab"), case .failure(let unknown) = id("v03"),
            case .failure(let empty) = id("")
        else { return #expect(Bool(false), "v00ab, v03 and nothing are no viewer") }
        #expect(
            ambiguous.description
                == "viewer v00ab is ambiguous: v00abcdefgh, v00abxyzuvw. Type more of it."
        )
        #expect(ambiguous.exitCode == 2)
        #expect(unknown.description == "there is no viewer v03. `signalbox ctl viewers` lists those there are.")
        #expect(unknown.exitCode == 3 && empty.exitCode == 3)
    }

    @Test func `tables name a viewer by the beginning of its id, long enough to be typed back`() throws {
        let ids = [
            "v3kd9abcdefgh", "v3kd9abcdexyz", "v3kd9abc", "0123456789abcdefghijklmno", "v4aaaaaaaaaaa", "v4",
            "v3kd9abcdefgh",
        ]
        let names = ShortViewerNames(ids)
        #expect(names["0123456789abcdefghijklmno"] == "0123456")
        #expect(names["v4aaaaaaaaaaa"] == "v4aaaaa" && names["v4"] == "v4")
        #expect(names["v3kd9abcdefgh"] == "v3kd9abcdef" && names["v3kd9abcdexyz"] == "v3kd9abcdex")
        #expect(names["of somebody else"] == "of somebody else")
        for id in ids { #expect(try ViewerName(word: names[id]).id(among: ids) == id) }
    }

    @Test func `whose id is another's beginning is still itself`() throws {
        #expect(try ViewerName(word: "v00a").id(among: ["v00abc", "v00a"]) == "v00a")
    }

    @Test func `a failure as JSON names its outcome`() {
        let codes: [(Int32, String)] = [(1, "failed"), (2, "usage"), (3, "refused"), (4, "timedOut"), (5, "noRelay")]
        for (code, outcome) in codes {
            #expect(ControlFailure(StartFailure(problem: "a", remedy: "b", exitCode: code)).outcome == outcome)
        }
    }

    @Test func `the command that attaches names the places the relay was started with`() throws {
        #expect(try StateOptions.parse([]).attachCommand == "signalbox attach")
        #expect(
            try StateOptions.parse(["--state-dir", "/srv/box 1", "--control-socket", "/run/it's"]).attachCommand
                == #"signalbox attach --state-dir '/srv/box 1' --control-socket '/run/it'\''s'"#
        )
        let here = FileManager.default.currentDirectoryPath
        let relative = try StateOptions.parse(["--state-dir", "state"]).attachCommand
        #expect(relative.hasSuffix("/state") && relative.contains(here) || relative.contains("'"))
    }

    @Test func `themes of the checkout are found from the program, wherever it is started`() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "Package.swift")
        let program = folder.path + "/.build/x86_64-unknown-linux-gnu/release/signalbox"
        #expect(themeDirectories(environment: ["HOME": "/home/ana"], program: program).last == folder.path + "/themes")
        let installed = themeDirectories(
            environment: ["HOME": "/home/ana", "XDG_DATA_DIRS": "/a:/b", "XDG_DATA_HOME": "/data"],
            program: "/opt/box/bin/signalbox"
        )
        #expect(
            installed == [
                "/home/ana/.config/signalbox/themes", "/data/signalbox/themes", "/opt/box/share/signalbox/themes",
                "/a/signalbox/themes", "/b/signalbox/themes",
            ]
        )
    }
}
