/// The delivery directives of a playlist request (RFC 8216bis §6.2.5).
public struct PlaylistQuery: Hashable, Sendable {
    /// `_HLS_msn`: answer once the playlist contains this segment.
    public var mediaSequenceNumber: Int?
    /// `_HLS_part`: answer once it contains this part of the segment.
    public var part: Int?
    /// `_HLS_skip`: a delta update is welcome.
    public var skip: Bool

    /// Creates a query; without arguments it asks for the playlist as it is.
    public init(mediaSequenceNumber: Int? = nil, part: Int? = nil, skip: Bool = false) {
        self.mediaSequenceNumber = mediaSequenceNumber
        self.part = part
        self.skip = skip
    }

    /// Why a query was refused; answer with 400.
    public enum Failure: Error, Equatable, Sendable {
        /// The directive named is not a decimal integer of at most 15 digits.
        case notANumber(String)
        /// The directive named is there twice.
        case repeated(String)
        /// `_HLS_part` without `_HLS_msn`.
        case partWithoutSegment
        /// The query is longer than ``maximumLength``.
        case tooLong

        /// What is wrong, for the client.
        public var text: String {
            switch self {
            case .notANumber(let name): "\(name) is no decimal number of at most 15 digits"
            case .repeated(let name): "\(name) is there twice"
            case .partWithoutSegment: "_HLS_part is there without _HLS_msn"
            case .tooLong: "the query is longer than \(PlaylistQuery.maximumLength) bytes"
            }
        }
    }

    /// Longest query that is looked at, in bytes.
    public static let maximumLength = 4_096

    /// Parses the part of a request target after `?`. Parameters that are no delivery directives are ignored.
    public init(parsing query: String) throws(Failure) {
        guard query.utf8.count <= Self.maximumLength else { throw .tooLong }
        self.init()
        var seenSkip = false
        for parameter in query.utf8.split(separator: UInt8(ascii: "&")) {
            let pair = parameter.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let value = pair.count == 2 ? pair[1] : ""[...].utf8
            switch String(pair[0]) {
            case "_HLS_msn": try Self.read(value, into: &mediaSequenceNumber, "_HLS_msn")
            case "_HLS_part": try Self.read(value, into: &part, "_HLS_part")
            case "_HLS_skip":
                if seenSkip { throw .repeated("_HLS_skip") }
                seenSkip = true
                // "v2" asks for skipped date ranges as well; we have none.
                skip = ["YES", "v2"].contains(String(value))
            default: break
            }
        }
        if part != nil, mediaSequenceNumber == nil { throw .partWithoutSegment }
    }

    private static func read(
        _ value: Substring.UTF8View,
        into field: inout Int?,
        _ name: String
    ) throws(Failure) {
        guard field == nil else { throw .repeated(name) }
        guard let number = decimal(value) else { throw .notANumber(name) }
        field = number
    }
}

/// A non-negative decimal integer of at most 15 digits, without sign.
func decimal(_ digits: some Collection<UInt8>) -> Int? {
    guard (1...15).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
}
