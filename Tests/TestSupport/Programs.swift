import Foundation

/// Programs that are not ours, which some tests run.
public enum Programs {
    /// Where `name` is installed; `nil` when it is not.
    public static func path(of name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
            .map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Whether a test that runs `names` is to be started: when they are all there. Where the environment has `CI`, it
    /// always is, so that it fails for want of a program instead of being passed over.
    public static func areExpected(_ names: String...) -> Bool {
        let isCI = !(ProcessInfo.processInfo.environment["CI"] ?? "").isEmpty
        return isCI || names.allSatisfy { path(of: $0) != nil }
    }
}
