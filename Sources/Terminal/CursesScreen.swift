import CNcurses
import Console
import Glibc

/// ncurses between two files of ours: keys go in at one, the bytes for the terminal come out at the other.
///
/// ncurses never touches the terminal, so it can never block on one that nobody reads. There is one such screen per
/// process at a time, used by one thread.
final class CursesScreen {
    private let screen: OpaquePointer
    private let inputWriter: Int32
    private let inputFile: UnsafeMutablePointer<FILE>
    private let outputFile: UnsafeMutablePointer<FILE>
    private let output: Int32
    private let usesExtensions: Bool
    let palette: Palette
    private var shown: CellGrid?
    private var row: [cchar_t] = []

    /// Starts ncurses for a terminal type.
    static func start(type: String, size: Size, withoutColours: Bool) -> Result<CursesScreen, TerminalProblem> {
        var ends: [Int32] = [-1, -1]
        let output = memoryFile()
        guard output >= 0, pipe(&ends) == 0 else {
            return .failure(TerminalProblem("no file descriptors are left; raise the limit (ulimit -n)"))
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        guard let inputFile = fdopen(ends[0], "r"), let outputFile = fdopen(output, "w") else {
            return .failure(TerminalProblem("no memory for the console"))
        }
        guard let screen = newterm(type, outputFile, inputFile) else {
            fclose(inputFile)
            fclose(outputFile)
            Glibc.close(ends[1])
            return .failure(
                TerminalProblem(
                    "the terminal type \"\(type)\" is not known on this machine; set TERM, for example TERM=xterm-256color"
                )
            )
        }
        let result = CursesScreen(screen, ends[1], inputFile, outputFile, output, type, withoutColours)
        guard tigetstr("cup").map(isCapability) == true else {
            result.close()
            return .failure(
                TerminalProblem(
                    "a \"\(type)\" terminal cannot place its cursor; use \"signalbox ctl\" there, or set TERM to what it really is"
                )
            )
        }
        result.resize(size)
        return .success(result)
    }

    private init(
        _ screen: OpaquePointer,
        _ inputWriter: Int32,
        _ inputFile: UnsafeMutablePointer<FILE>,
        _ outputFile: UnsafeMutablePointer<FILE>,
        _ output: Int32,
        _ type: String,
        _ withoutColours: Bool
    ) {
        self.screen = screen
        self.inputWriter = inputWriter
        self.inputFile = inputFile
        self.outputFile = outputFile
        self.output = output
        usesExtensions = !["linux", "vt", "dumb", "ansi"].contains { type.hasPrefix($0) }
        raw()
        noecho()
        nonl()
        let window = console_screen()
        keypad(window, true)
        nodelay(window, true)
        // The whole of a sequence is there before ncurses sees its beginning (see TerminalInput).
        set_escdelay(1)
        // Otherwise doupdate looks for input now and then and may leave a frame half drawn.
        typeahead(-1)
        curs_set(0)
        define_key("\u{1B}[200~", pasteStartKey)
        define_key("\u{1B}[201~", pasteEndKey)
        palette = Palette(withoutColours: withoutColours)
    }

    private static func memoryFile() -> Int32 {
        let descriptor = console_memory_file()
        if descriptor >= 0 { return descriptor }
        var template = Array("/tmp/signalbox-console-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        if file >= 0 { unlink(template) }
        return file
    }

    /// What puts a terminal of this kind in order, without ncurses.
    var restoreBytes: [UInt8] {
        var bytes: [UInt8] = usesExtensions ? Array("\u{1B}[?2026l\u{1B}[?2004l".utf8) : []
        for name in ["sgr0", "op", "rmkx", "cnorm", "rmcup"] {
            if let text = tigetstr(name), isCapability(text) { bytes += withoutPadding(String(cString: text)) }
        }
        return bytes
    }

    /// What switches on the extras that ncurses does not know.
    var prologue: [UInt8] { usesExtensions ? Array("\u{1B}[?2004h".utf8) : [] }

    func resize(_ size: Size) {
        resizeterm(Int32(max(1, size.rows)), Int32(max(1, size.columns)))
        invalidate()
    }

    /// The terminal's content is not known any more.
    func invalidate() {
        shown = nil
        clearok(console_screen(), true)
    }

    /// Draws what differs from the frame before.
    ///
    /// - Returns: The bytes for the terminal; empty when nothing differs.
    func draw(_ grid: CellGrid, theme: Theme, isNewTheme: Bool) -> [UInt8] {
        if isNewTheme { palette.forget() }
        let before = isNewTheme || shown?.size != grid.size ? nil : shown
        if before == grid { return [] }
        for y in 0..<grid.size.rows { drawRow(grid.row(y), before?.row(y), y, theme) }
        shown = grid
        doupdateFromScreen()
        let bytes = takeOutput()
        guard usesExtensions, !bytes.isEmpty else { return bytes }
        return Array("\u{1B}[?2026h".utf8) + bytes + Array("\u{1B}[?2026l".utf8)
    }

    private func doupdateFromScreen() {
        wnoutrefresh(console_screen())
        doupdate()
    }

    private func drawRow(_ cells: ArraySlice<Cell>, _ before: ArraySlice<Cell>?, _ y: Int, _ theme: Theme) {
        let cells = Array(cells)
        var first = 0
        var last = cells.count - 1
        if let before {
            let before = Array(before)
            while first <= last, cells[first] == before[first] { first += 1 }
            while last > first, cells[last] == before[last] { last -= 1 }
        }
        guard first <= last else { return }
        // A wide character is drawn from its left half.
        while first > 0, cells[first].isContinuation { first -= 1 }
        row.removeAll(keepingCapacity: true)
        for index in first...last where !cells[index].isContinuation {
            let cell = cells[index]
            let look = palette.look(of: cell.style, theme)
            let isWide = index + 1 < cells.count && cells[index + 1].isContinuation
            if cell.scalar >= 0x80, !isOurs(cell.scalar), console_width(cell.scalar) != (isWide ? 2 : 1) {
                // The C library has another opinion of its width: what it would draw would shift the row.
                for _ in 0..<(isWide ? 2 : 1) { row.append(console_cell(0x3F, 0, look.attributes, look.pair)) }
            } else {
                row.append(console_cell(cell.scalar, cell.mark, look.attributes, look.pair))
            }
        }
        mvadd_wchnstr(Int32(y), Int32(first), row, Int32(row.count))
    }

    /// Box drawing, blocks and braille: one cell everywhere.
    private func isOurs(_ scalar: UInt32) -> Bool {
        (0x2500...0x259F).contains(scalar) || (0x2800...0x28FF).contains(scalar)
    }

    /// Reads back what ncurses wrote.
    private func takeOutput() -> [UInt8] {
        let size = lseek(output, 0, SEEK_CUR)
        guard size > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        let count = pread(output, &bytes, bytes.count, 0)
        lseek(output, 0, SEEK_SET)
        ftruncate(output, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    /// Decodes bytes from the terminal.
    func keys(from bytes: [UInt8]) -> [Key] {
        var keys: [Key] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + 512, bytes.count)
            let written = bytes[start..<end].withUnsafeBytes { write(inputWriter, $0.baseAddress, $0.count) }
            guard written > 0 else { break }
            start += written
            readKeys(into: &keys)
        }
        return keys
    }

    private var isPasting = false

    private func readKeys(into keys: inout [Key]) {
        var character: wint_t = 0
        for _ in 0..<1024 {
            let status = wget_wch(console_screen(), &character)
            guard status != ERR else { return }
            let isFunction = status == KEY_CODE_YES
            if isFunction, Int32(bitPattern: character) == pasteStartKey {
                isPasting = true
                keys.append(.paste)
            } else if isFunction, Int32(bitPattern: character) == pasteEndKey {
                isPasting = false
            } else if !isPasting {
                keys.append(decodedKey(character, isFunction: isFunction))
            }
        }
    }

    /// Ends the use of the screen (to suspend, or for good).
    ///
    /// - Returns: The bytes that put the terminal in order.
    func leave() -> [UInt8] {
        endwin()
        return takeOutput() + (usesExtensions ? Array("\u{1B}[?2004l".utf8) : [])
    }

    /// Frees everything.
    func close() {
        delscreen(screen)
        fclose(inputFile)
        fclose(outputFile)
        Glibc.close(inputWriter)
    }
}

private let pasteStartKey: Int32 = 0o1400
private let pasteEndKey: Int32 = 0o1401

/// terminfo gives -1 for "not a string" and null for "absent".
private func isCapability(_ text: UnsafeMutablePointer<CChar>) -> Bool {
    Int(bitPattern: text) != -1 && text.pointee != 0
}

/// Without terminfo's delays (`$<5>`), which mean nothing outside of ncurses.
private func withoutPadding(_ text: String) -> [UInt8] {
    var result: [UInt8] = []
    var isDelay = false
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() {
        if byte == UInt8(ascii: "$"), index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "<") { isDelay = true }
        if !isDelay { result.append(byte) }
        if isDelay, byte == UInt8(ascii: ">") { isDelay = false }
    }
    return result
}

private func decodedKey(_ character: wint_t, isFunction: Bool) -> Key {
    if isFunction {
        switch Int32(bitPattern: character) {
        case KEY_UP: return .up
        case KEY_DOWN: return .down
        case KEY_LEFT: return .left
        case KEY_RIGHT: return .right
        case KEY_PPAGE: return .pageUp
        case KEY_NPAGE: return .pageDown
        case KEY_HOME: return .home
        case KEY_END: return .end
        case KEY_BTAB: return .backTab
        case KEY_BACKSPACE: return .backspace
        case KEY_DC: return .delete
        case KEY_ENTER: return .enter
        case let code where code > KEY_F0 && code <= KEY_F0 + 24: return .function(Int(code - KEY_F0))
        default: return .other
        }
    }
    switch character {
    case 0x0D, 0x0A: return .enter
    case 0x09: return .tab
    case 0x1B: return .escape
    case 0x7F, 0x08: return .backspace
    case 0x01...0x1A: return Unicode.Scalar(UInt32(character) + 0x60).map { .control($0) } ?? .other
    case 0x00..<0x20: return .other
    default: return Unicode.Scalar(UInt32(character)).map { .character($0) } ?? .other
    }
}
