/// The colours of the console: what every ``Role`` looks like at every colour depth.
public struct Theme: Sendable {
    /// Its name, as `T` shows it.
    public var name: String
    /// Made for a dark or a light background.
    public var isDark: Bool
    /// The screen's background; `nil` leaves the terminal's own.
    public var background: RGB?
    /// Background of the cursor row.
    public var selection: RGB?
    /// Background of the cursor row in a pane without the keyboard.
    public var restingSelection: RGB?
    /// What the file says of roles, for 256 colours and more.
    var entries: [Role: ThemeEntry] = [:]
    /// What the file says for 16 colours.
    var sixteen: [Role: Appearance] = [:]
    /// What the file says for no colours.
    var mono: [Role: Appearance] = [:]

    init(name: String, isDark: Bool) {
        self.name = name
        self.isDark = isDark
    }

    /// The console without theme: works on every terminal and needs no file.
    public static let plain = Theme(name: "plain", isDark: true)

    /// Looks of a style.
    public func appearance(of style: Style, depth: ColourDepth) -> Appearance {
        switch depth {
        case .mono:
            var looks = mono[style.role] ?? style.role.monochrome
            switch style.selection {
            case .none: break
            case .resting: looks.isUnderlined = true
            case .active: looks.isReversed.toggle()
            }
            return looks
        case .eight, .sixteen:
            return fewColours(style, eight: depth == .eight)
        case .indexed, .direct:
            guard let entry = entry(for: style.role) else { return fewColours(style, eight: false) }
            var looks = entry.appearance(level: style.level)
            if looks.background == nil, let background { looks.background = .rgb(background) }
            switch style.selection {
            case .none: break
            case .resting: if let restingSelection { looks.background = .rgb(restingSelection) }
            case .active:
                if let selection {
                    looks.background = .rgb(selection)
                } else {
                    looks.isReversed = true
                }
                looks.isBold = true
            }
            return looks
        }
    }

    /// The exact text colour of a role, if the theme names one.
    public func foreground(of role: Role, level: UInt8 = 0) -> RGB? {
        guard case .rgb(let colour)? = entry(for: role)?.appearance(level: level).foreground else { return nil }
        return colour
    }

    /// The exact background of a role: its own, or the screen's.
    public func background(of role: Role) -> RGB? {
        guard case .rgb(let colour)? = entry(for: role)?.appearance(level: 0).background else { return background }
        return colour
    }

    private func entry(for role: Role) -> ThemeEntry? {
        var role: Role? = role
        while let current = role {
            if let entry = entries[current] { return entry }
            role = current.fallback
        }
        return nil
    }

    private func fewColours(_ style: Style, eight: Bool) -> Appearance {
        var looks = sixteen[style.role] ?? style.role.sixteenColours
        switch style.selection {
        case .none: break
        case .resting: looks.isUnderlined = true
        case .active: looks.isReversed.toggle()
        }
        guard eight else { return looks }
        if case .ansi(let index)? = looks.foreground, index >= 8 {
            // Bright black is invisible as plain black: leave it to the terminal's own colour.
            looks.foreground = index == 8 ? nil : .ansi(index - 8)
            looks.isBold = looks.isBold || index != 8
        }
        if case .ansi(let index)? = looks.background, index >= 8 { looks.background = .ansi(index - 8) }
        return looks
    }
}

/// What a theme says of a role: looks, and the colours of its gradient if it has one.
struct ThemeEntry: Hashable, Sendable {
    var looks: Appearance
    var gradient: [RGB] = []

    func appearance(level: UInt8) -> Appearance {
        guard gradient.count > 1 else { return looks }
        var looks = looks
        let position = Double(min(Int(level), Style.levels - 1)) / Double(Style.levels - 1) * Double(gradient.count - 1)
        let index = min(Int(position), gradient.count - 2)
        looks.foreground = .rgb(gradient[index].mixed(with: gradient[index + 1], position - Double(index)))
        return looks
    }
}
