import Media

/// The `fmtp` parameters of an `MPEG4-GENERIC` track (RFC 3640 §4.1); the defaults are those of mode `AAC-hbr`.
public struct AACPayloadParameters: Equatable, Sendable {
    /// Bits of an AU-size; 0 when the payload has no AU headers.
    public var sizeLength: Int
    /// Bits of the first AU-Index.
    public var indexLength: Int
    /// Bits of the following AU-Index-deltas.
    public var indexDeltaLength: Int

    /// Creates parameters; each is clamped to 0…32.
    public init(sizeLength: Int = 13, indexLength: Int = 3, indexDeltaLength: Int = 3) {
        self.sizeLength = min(max(sizeLength, 0), 32)
        self.indexLength = min(max(indexLength, 0), 32)
        self.indexDeltaLength = min(max(indexDeltaLength, 0), 32)
    }
}

/// Takes AAC frames out of RTP payloads (RFC 3640): several in one packet, one in several packets, and the variants
/// that cameras send instead, without AU headers or with ADTS headers.
public struct AACDepacketizer: Sendable {
    /// Largest frame in bytes: 13 bits of AU-size.
    public static let maximumFrame = 8_191

    /// Frames that were dropped because they were incomplete or inconsistent.
    public private(set) var dropped: UInt64 = 0

    private let parameters: AACPayloadParameters
    /// A frame spread over several packets, and its full size.
    private var fragment: [UInt8] = []
    private var fragmentSize = 0

    /// Creates a depacketiser.
    public init(parameters: AACPayloadParameters = AACPayloadParameters()) { self.parameters = parameters }

    /// Takes one payload and appends the frames it completes; the first one belongs to the packet's timestamp.
    public mutating func receive(
        _ payload: ArraySlice<UInt8>,
        marker: Bool,
        followsGap: Bool,
        into frames: inout [[UInt8]]
    ) {
        if followsGap { abandonFragment() }
        guard let (sizes, data) = readHeaders(payload) else {
            abandonFragment()
            receiveWithoutHeaders(payload, into: &frames)
            return
        }
        if sizes.count == 1, let size = sizes.first, size > data.count || !fragment.isEmpty {
            receiveFragment(data, size: size, into: &frames)
            return
        }
        abandonFragment()
        var position = data.startIndex
        for size in sizes {
            guard size <= data.endIndex - position else {
                dropped &+= 1
                return
            }
            append(data[position..<position + size], into: &frames)
            position += size
        }
    }

    private mutating func receiveFragment(_ data: ArraySlice<UInt8>, size: Int, into frames: inout [[UInt8]]) {
        if !fragment.isEmpty, size != fragmentSize { abandonFragment() }
        guard size <= Self.maximumFrame, fragment.count + data.count <= size else {
            abandonFragment()
            dropped &+= 1
            return
        }
        fragmentSize = size
        fragment.append(contentsOf: data)
        if fragment.count == size {
            append(fragment[...], into: &frames)
            fragment = []
        }
    }

    private mutating func abandonFragment() {
        if !fragment.isEmpty { dropped &+= 1 }
        fragment = []
    }

    /// The sizes of the AU header section and the data after it, or `nil` when there is no such section.
    private func readHeaders(_ payload: ArraySlice<UInt8>) -> (sizes: [Int], data: ArraySlice<UInt8>)? {
        guard parameters.sizeLength > 0, payload.count > 2 else { return nil }
        let start = payload.startIndex
        let headerBits = Int(payload[start]) << 8 | Int(payload[start + 1])
        let headerBytes = (headerBits + 7) / 8
        guard headerBits >= parameters.sizeLength, headerBytes < payload.count - 2 else { return nil }
        let data = payload[(start + 2 + headerBytes)...]
        var bits = BitReader(Array(payload[(start + 2)..<(start + 2 + headerBytes)]))
        let end = bits.remaining - headerBits
        var sizes: [Int] = []
        while bits.remaining - end >= parameters.sizeLength, sizes.count < 64 {
            guard let size = try? bits.readBits(parameters.sizeLength) else { return nil }
            let index = sizes.isEmpty ? parameters.indexLength : parameters.indexDeltaLength
            guard bits.remaining >= index, (try? bits.skip(index)) != nil else { return nil }
            guard size > 0 else { return nil }
            sizes.append(Int(size))
        }
        // One frame may continue in the next packet; several must be whole.
        let total = sizes.reduce(0, +)
        guard !sizes.isEmpty, total <= data.count || sizes.count == 1 else { return nil }
        // Without AU headers the first bytes are arbitrary: a single absurd size gives that away.
        guard total <= Self.maximumFrame || sizes.count > 1 else { return nil }
        return (sizes, data)
    }

    private mutating func receiveWithoutHeaders(_ payload: ArraySlice<UInt8>, into frames: inout [[UInt8]]) {
        guard !payload.isEmpty, payload.count <= Self.maximumFrame else {
            dropped &+= 1
            return
        }
        append(payload, into: &frames)
    }

    /// Appends a frame, without the ADTS headers that some cameras leave in (ISO/IEC 14496-3 §1.A.3.2).
    private mutating func append(_ frame: ArraySlice<UInt8>, into frames: inout [[UInt8]]) {
        var rest = frame
        guard Self.hasADTSHeader(rest) else {
            frames.append(Array(frame))
            return
        }
        while Self.hasADTSHeader(rest) {
            let start = rest.startIndex
            let length =
                Int(rest[start + 3] & 0x03) << 11 | Int(rest[start + 4]) << 3 | Int(rest[start + 5]) >> 5
            let header = rest[start + 1] & 0x01 == 1 ? 7 : 9
            guard length > header, length <= rest.count else {
                dropped &+= 1
                return
            }
            frames.append(Array(rest[(start + header)..<(start + length)]))
            rest = rest.dropFirst(length)
        }
    }

    /// A raw frame never begins with the sync word: its first element would be the end marker.
    private static func hasADTSHeader(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.count > 7 && bytes[bytes.startIndex] == 0xFF && bytes[bytes.startIndex + 1] & 0xF6 == 0xF0
    }
}
