/// A password, key or token that cannot be printed, logged, encoded or compared in variable time by accident.
public struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    /// Wraps `value`.
    public init(_ value: String) { self.value = value }

    /// The secret itself. Call this only where it goes onto the wire.
    public func reveal() -> String { value }

    /// Whether both secrets are equal, in time that depends on the lengths only.
    public func matches(_ other: Secret) -> Bool {
        let (mine, theirs) = (Array(value.utf8), Array(other.value.utf8))
        guard mine.count == theirs.count else { return false }
        return zip(mine, theirs).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Never the secret.
    public var description: String { "(secret)" }
    /// Never the secret.
    public var debugDescription: String { "(secret)" }
    /// Never the secret.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
