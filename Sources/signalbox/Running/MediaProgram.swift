import Foundation

/// The path of `signalbox-media`: beside this program, or on the `PATH`; `nil` when it is not installed.
func mediaProgram() -> String? {
    let directory = URL(fileURLWithPath: programPath).deletingLastPathComponent()
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let directories = [directory.path] + path.split(separator: ":").map(String.init)
    return directories.map { "\($0)/signalbox-media" }.first { access($0, X_OK) == 0 }
}
