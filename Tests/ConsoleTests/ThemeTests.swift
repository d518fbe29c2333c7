import Foundation
import Testing

@testable import Console

struct ThemeTests {
    static let names = ["signalbox", "daylight", "signal-safe"]

    static func text(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("themes/\(name).theme"), encoding: .utf8)
    }

    static func theme(_ name: String) throws -> Theme { try Theme(parsing: try text(name), file: "\(name).theme") }

    @Test func `the built-in theme is the one in the folder`() throws {
        #expect(
            Theme.standardText.trimmingCharacters(in: .newlines)
                == (try Self.text("signalbox")).trimmingCharacters(in: .newlines)
        )
        #expect(Theme.standard.name == "signalbox")
    }

    @Test(arguments: names)
    func `every role has looks at every depth`(name: String) throws {
        let theme = try Self.theme(name)
        for role in Role.allCases {
            for depth in ColourDepth.allCases {
                for selection in [Style.Selection.none, .resting, .active] {
                    let looks = theme.appearance(of: Style(role, level: 7, selection: selection), depth: depth)
                    if depth >= .indexed { #expect(looks.foreground != nil) }
                    if depth == .mono { #expect(looks.foreground == nil && looks.background == nil) }
                    if depth == .mono, selection == .active {
                        let plain = theme.appearance(of: Style(role), depth: depth)
                        #expect(looks.isReversed != plain.isReversed)
                    }
                }
            }
        }
    }

    @Test(arguments: names)
    func `text can be read on its background and on the cursor`(name: String) throws {
        let theme = try Self.theme(name)
        let background = try #require(theme.background)
        let selection = try #require(theme.selection)
        let graphs: Set<Role> = [.graphIn, .graphOut, .graphLatency, .graphLoss, .graphFrames]
        let frames: Set<Role> = [.border, .axis]
        for role in Role.allCases where !frames.contains(role) {
            let own = try #require(theme.background(of: role))
            let colour = try #require(theme.foreground(of: role, level: Canvas.textLevel))
            #expect(colour.contrast(to: own) >= 4.5, "\(role.name) \(colour.contrast(to: own))")
            if own == background {
                #expect(
                    colour.contrast(to: selection) >= (graphs.contains(role) ? 3 : 3.2),
                    "\(role.name) on cursor \(colour.contrast(to: selection))"
                )
            }
        }
        for role in graphs {
            for level in 0..<UInt8(Style.levels) {
                #expect(
                    try #require(theme.foreground(of: role, level: level)).contrast(to: background) >= 3,
                    "\(role.name) \(level)"
                )
            }
        }
        #expect(try #require(theme.foreground(of: .border)).contrast(to: background) >= 1.5)
        #expect(selection.contrast(to: background) >= (theme.isDark ? 1.5 : 1.25))
    }

    @Test(arguments: names)
    func `256 colours keep what can be read readable`(name: String) throws {
        let theme = try Self.theme(name)
        for role in Role.allCases where role != .border && role != .axis {
            let colour = try #require(theme.foreground(of: role, level: Canvas.textLevel)).quantised
            let own = try #require(theme.background(of: role)).quantised
            #expect(colour.contrast(to: own) >= 4, "\(role.name) \(colour.contrast(to: own))")
        }
    }

    @Test(arguments: names, ColourBlindness.allCases)
    func `ok, warning and critical stay apart`(name: String, eyes: ColourBlindness) throws {
        let theme = try Self.theme(name)
        let colours = try [Role.ok, .warning, .critical].map {
            OKLab.seen(try #require(theme.foreground(of: $0)), by: eyes)
        }
        let floor = name == "signal-safe" ? 0.18 : eyes == .none ? 0.1 : 0.05
        for (first, second) in [(0, 1), (0, 2), (1, 2)] {
            #expect(
                colours[first].distance(to: colours[second]) >= floor,
                "\(eyes) \(first) \(second) \(colours[first].distance(to: colours[second]))"
            )
        }
    }

    @Test(arguments: [
        ("text = #ffffff\nnonsense", "t:2: expected: NAME = VALUE"),
        ("text = #ffffff\nfoo = #000000", "t:2: unknown name \"foo\""),
        ("text = #fffff", "t:1: expected"),
        ("text = blu", "t:1: unknown colour \"blu\""),
        ("text = #ffffff\ntext = #000000", "t:2: \"text\" is set twice"),
        ("name = x", "the role \"text\" is missing"),
        ("text = #ffffff\ngraph.in = #000000 ..", "t:2: a gradient has two to four colours"),
        ("text = #ffffff\ndim@16 = #000000", "t:2: expected"),
        ("text = #ffffff\ndim@16 = pink", "t:2: unknown colour \"pink\""),
        ("text = #ffffff\ndim@mono = red", "t:2: @mono takes only"),
        ("text = #ffffff\ndim@7 = red", "t:2: after a name stands"),
        ("text = #ffffff on", "t:1: a colour is missing"),
        ("text = #ffffff shiny", "t:1: unexpected \"shiny\""),
        ("variant = purple\ntext = #ffffff", "t:1: variant is dark or light"),
    ])
    func `a mistake is named with its line`(text: String, problem: String) {
        do {
            _ = try Theme(parsing: text, file: "t")
            Issue.record("accepted: \(text)")
        } catch {
            let expected = problem.hasSuffix("expected") ? "t:" : problem
            #expect(error.description.contains(expected), "\(error)")
        }
    }

    @Test func `comments, overrides and gradients are read`() throws {
        let theme = try Theme(
            parsing: """
                # a comment
                name = night shift
                palette.red = #ff0000   # named
                text = #ffffff
                status.critical = red on #000000 bold # loud
                status.critical@16 = brightred bold
                status.critical@mono = reverse bold
                graph.in = #000000 .. #ffffff
                """,
            file: "x.theme"
        )
        #expect(theme.name == "night shift")
        let direct = theme.appearance(of: Style(.critical), depth: .direct)
        #expect(direct.foreground == .rgb(RGB(255, 0, 0)) && direct.background == .rgb(RGB(0, 0, 0)) && direct.isBold)
        #expect(theme.appearance(of: Style(.critical), depth: .sixteen).foreground == .ansi(9))
        #expect(theme.appearance(of: Style(.critical), depth: .eight).foreground == .ansi(1))
        #expect(theme.appearance(of: Style(.critical), depth: .mono).isReversed)
        #expect(theme.foreground(of: .graphIn, level: 0) == RGB(0, 0, 0))
        #expect(theme.foreground(of: .graphIn, level: 7) == RGB(255, 255, 255))
        #expect(theme.foreground(of: .title) == RGB(255, 255, 255))
    }

    @Test func `quantising finds the colour that looks most alike`() {
        #expect(RGB(255, 0, 0).nearest256 == 196)
        #expect(RGB(0, 0, 0).nearest256 == 16)
        #expect(RGB(255, 255, 255).nearest256 == 231)
        #expect((232...255).contains(RGB(120, 120, 120).nearest256))
    }

    @Test func `conversion to OKLab and back keeps colours`() {
        for colour in [RGB(0, 0, 0), RGB(255, 255, 255), RGB(95, 211, 141), RGB(255, 107, 107), RGB(16, 21, 28)] {
            #expect(colour.mixed(with: RGB(1, 2, 3), 0) == colour)
        }
        #expect(abs(RGB(255, 255, 255).contrast(to: RGB(0, 0, 0)) - 21) < 0.01)
    }
}

/// Eyes.
enum ColourBlindness: CaseIterable, CustomTestStringConvertible {
    case none, protanopia, deuteranopia, tritanopia

    var testDescription: String { "\(self)" }

    /// Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
    var matrix: [[Double]] {
        switch self {
        case .none: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        case .protanopia:
            [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
        case .deuteranopia:
            [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
        case .tritanopia:
            [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
        }
    }
}

extension OKLab {
    static func seen(_ colour: RGB, by eyes: ColourBlindness) -> OKLab {
        let light = [linear(colour.red), linear(colour.green), linear(colour.blue)]
        let seen = eyes.matrix.map { row in min(max(0, zip(row, light).reduce(0) { $0 + $1.0 * $1.1 }), 1) }
        return OKLab(linearRed: seen[0], green: seen[1], blue: seen[2])
    }
}

extension RGB {
    /// What a terminal with 256 colours makes of it.
    var quantised: RGB {
        let index = Int(nearest256)
        if index >= 232 {
            return RGB(UInt8(8 + 10 * (index - 232)), UInt8(8 + 10 * (index - 232)), UInt8(8 + 10 * (index - 232)))
        }
        let steps: [UInt8] = [0, 95, 135, 175, 215, 255]
        return RGB(steps[(index - 16) / 36], steps[(index - 16) / 6 % 6], steps[(index - 16) % 6])
    }
}
