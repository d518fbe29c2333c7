import ArgumentParser
import Foundation
import Testing

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
