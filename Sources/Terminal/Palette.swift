import CNcurses
import Console
import Glibc

/// ncurses' numbers for the looks of cells.
final class Palette {
    /// Attributes and colour pair of a style.
    struct Look {
        var attributes: attr_t
        var pair: Int32
    }

    let depth: ColourDepth
    private var looks: [Style: Look] = [:]
    private var pairs: [PairKey: Int32] = [:]
    private var nextPair: Int32 = 1

    private struct PairKey: Hashable {
        var foreground: Int32
        var background: Int32
    }

    /// Call after `newterm`.
    init(withoutColours: Bool) {
        let isMono = withoutColours || getenv("NO_COLOR").map { $0.pointee != 0 } == true || !has_colors()
        guard !isMono, start_color() != ERR, console_colors() >= 8 else {
            depth = .mono
            return
        }
        use_default_colors()
        switch console_colors() {
        case ..<16: depth = .eight
        case ..<256: depth = .sixteen
        case 0x100_0000... where tigetflag("RGB") > 0: depth = .direct
        default: depth = .indexed
        }
    }

    /// The theme changed.
    func forget() {
        looks.removeAll(keepingCapacity: true)
        pairs.removeAll(keepingCapacity: true)
        nextPair = 1
    }

    func look(of style: Style, _ theme: Theme) -> Look {
        if let look = looks[style] { return look }
        let appearance = theme.appearance(of: style, depth: depth)
        let look = Look(
            attributes: console_attributes(
                appearance.isBold ? 1 : 0,
                appearance.isDim ? 1 : 0,
                appearance.isUnderlined ? 1 : 0,
                appearance.isReversed ? 1 : 0
            ),
            pair: depth == .mono ? 0 : pair(number(appearance.foreground), number(appearance.background))
        )
        looks[style] = look
        return look
    }

    private func number(_ paint: Paint?) -> Int32 {
        switch paint {
        case nil: -1
        case .ansi(let index)?: Int32(index)
        case .rgb(let colour)?: depth == .direct ? colour.packed : Int32(colour.nearest256)
        }
    }

    private func pair(_ foreground: Int32, _ background: Int32) -> Int32 {
        if foreground == -1, background == -1 { return 0 }
        let key = PairKey(foreground: foreground, background: background)
        if let pair = pairs[key] { return pair }
        // Themes have fewer combinations than any terminal has pairs, except those with 64: plain is better than wrong.
        guard nextPair < console_color_pairs(), init_extended_pair(nextPair, foreground, background) != ERR else {
            return 0
        }
        pairs[key] = nextPair
        nextPair += 1
        return nextPair - 1
    }
}
