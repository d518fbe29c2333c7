/// One `a=` line (RFC 8866 §5.13): a property (`a=recvonly`) or a name with a value (`a=mid:0`).
public struct SDPAttribute: Equatable, Sendable {
    /// What stands before the colon, or the whole line when there is none.
    public var name: String
    /// What stands after the first colon, without surrounding blanks; `nil` when there is no colon.
    public var value: String?

    /// Creates an attribute.
    public init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }

    /// Parses what follows `a=`.
    init(parsing text: some StringProtocol) {
        if let (name, value) = text.splitOnce(at: 0x3A) {
            self.init(name.trimmingBlanks, value.trimmingBlanks)
        } else {
            self.init(text.trimmingBlanks)
        }
    }
}

/// Which way media flows, seen from the side that wrote the description (RFC 8866 §6.7).
public enum MediaDirection: String, Sendable, CaseIterable {
    /// Both ways; the default.
    case sendrecv
    /// From the writer only.
    case sendonly
    /// To the writer only.
    case recvonly
    /// Neither way.
    case inactive
}

/// A session or a media description: both carry attributes.
public protocol SDPAttributed {
    /// The `a=` lines, in order.
    var attributes: [SDPAttribute] { get }
}

extension SDPAttributed {
    /// The value of the first attribute called `name` that has one. Names are compared without case, as cameras demand.
    public func attribute(_ name: String) -> String? {
        for attribute in attributes {
            if let value = attribute.value, attribute.name.equalsIgnoringASCIICase(name) { return value }
        }
        return nil
    }

    /// The values of all attributes called `name`, in order.
    public func attributes(named name: String) -> [String] {
        attributes.compactMap { $0.name.equalsIgnoringASCIICase(name) ? $0.value : nil }
    }

    /// Whether an attribute called `name` is present, with or without a value.
    public func has(_ name: String) -> Bool {
        attributes.contains { $0.name.equalsIgnoringASCIICase(name) }
    }

    /// The direction written here, or `nil` when none is.
    public var statedDirection: MediaDirection? {
        for attribute in attributes where attribute.value == nil {
            if let direction = MediaDirection(rawValue: attribute.name.lowercased()) { return direction }
        }
        return nil
    }
}
