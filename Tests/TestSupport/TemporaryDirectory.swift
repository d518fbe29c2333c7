import Foundation

/// A directory of its own for one test, short enough for the path of a socket; goes with the object that holds it.
public final class TemporaryDirectory: Sendable {
    /// Its path.
    public let path: String

    /// Creates it.
    public init() throws {
        path = "/tmp/signalbox-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
