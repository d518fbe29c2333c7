import Media
import Wire

/// The parameter sets as they come in band, ready to be inserted before a keyframe.
///
/// Encoders may number them anew with every keyframe (OpenH264 does by default), and payloaders may send all that they
/// have ever seen, in any order: which belong to a keyframe is known from its slices only.
struct H264ParameterSetStore: Sendable {
    /// The sets to use, once there are an SPS that can be read and a PPS: those of the last keyframe asked for, or what
    /// came last since.
    private(set) var current: H264ParameterSets?
    /// The RTP payloads that carry them: one STAP-A, several when they do not fit one.
    private(set) var payloads: [[UInt8]] = []

    private var sps: [SequenceParameterSet] = []
    private var pps: [PictureParameterSet] = []
    /// The SPS that ``current`` is made with.
    private var selected: UInt32?

    private struct SequenceParameterSet {
        var identifier: UInt32
        var bytes: [UInt8]
    }

    private struct PictureParameterSet {
        var identifier: UInt32
        var sequenceIdentifier: UInt32
        var bytes: [UInt8]
    }

    /// Cameras use one or two. OpenH264 goes through 57 before it begins again; SPS have no more than 32 numbers.
    private static let maximumPictureParameterSets = 64
    /// Longest set that is kept; with scaling lists one may have some hundred bytes.
    private static let maximumLength = 1_024
    /// So much of a slice is read for its PPS's number: three exp-Golomb codes.
    private static let sliceHeaderLength = 16

    init(_ initial: H264ParameterSets?) {
        guard let initial else { return }
        _ = store(initial.sps[...])
        for unit in initial.pps { _ = store(unit[...]) }
    }

    /// Whether a keyframe can be sent.
    var areComplete: Bool { current != nil }

    /// Takes an SPS or PPS NAL unit; returns whether it can be used.
    mutating func store(_ unit: ArraySlice<UInt8>) -> Bool {
        guard let header = unit.first, unit.count <= Self.maximumLength else { return false }
        if H264NALUnitType(header: header) == .sps {
            // Most cameras repeat the same set before every keyframe.
            if sps.contains(where: { unit.elementsEqual($0.bytes) }) { return true }
            let bytes = Array(unit)
            guard let parsed = try? H264SequenceParameterSet(parsing: bytes) else { return false }
            let set = SequenceParameterSet(identifier: UInt32(parsed.identifier), bytes: bytes)
            sps.removeAll { $0.identifier == set.identifier }
            sps.append(set)
            selected = set.identifier
        } else {
            if pps.contains(where: { unit.elementsEqual($0.bytes) }) { return true }
            guard let set = Self.parse(pictureParameterSet: unit) else { return false }
            pps.removeAll { $0.identifier == set.identifier }
            if pps.count == Self.maximumPictureParameterSets { pps.removeFirst() }
            pps.append(set)
        }
        rebuild()
        return true
    }

    /// Makes ``current`` the sets that a keyframe's slice needs; they stay as they are where the slice names none that
    /// are known.
    ///
    /// - Parameter slice: The slice's NAL unit behind its header byte, or the beginning of that.
    mutating func select(for slice: ArraySlice<UInt8>) {
        // With one of each there is no choice, and cameras get the numbers wrong.
        guard sps.count > 1, let identifier = Self.pictureParameterSet(of: slice),
            let picture = pps.first(where: { $0.identifier == identifier }),
            picture.sequenceIdentifier != selected,
            sps.contains(where: { $0.identifier == picture.sequenceIdentifier })
        else { return }
        selected = picture.sequenceIdentifier
        rebuild()
    }

    /// `pic_parameter_set_id` of a slice header (ITU-T H.264 §7.3.3); `nil` where it cannot be read.
    private static func pictureParameterSet(of slice: ArraySlice<UInt8>) -> UInt32? {
        var bits = BitReader(EmulationPrevention.strip(slice.prefix(sliceHeaderLength)))
        guard (try? bits.readUnsignedExpGolomb()) != nil, (try? bits.readUnsignedExpGolomb()) != nil else { return nil }
        return try? bits.readUnsignedExpGolomb()
    }

    private static func parse(pictureParameterSet unit: ArraySlice<UInt8>) -> PictureParameterSet? {
        var bits = BitReader(EmulationPrevention.strip(unit.dropFirst().prefix(16)))
        guard let identifier = try? bits.readUnsignedExpGolomb(), identifier <= 255,
            let sequenceIdentifier = try? bits.readUnsignedExpGolomb(), sequenceIdentifier <= 31
        else { return nil }
        return PictureParameterSet(
            identifier: identifier,
            sequenceIdentifier: sequenceIdentifier,
            bytes: Array(unit)
        )
    }

    private mutating func rebuild() {
        guard let set = sps.first(where: { $0.identifier == selected }) else { return }
        // PPSs of another SPS are out of use; but cameras also get the number wrong.
        let matching = pps.filter { $0.sequenceIdentifier == set.identifier }
        let used = (matching.isEmpty ? pps : matching).map(\.bytes)
        guard !used.isEmpty else { return }
        current = try? H264ParameterSets(sps: set.bytes, pps: used)
        payloads = Self.aggregate([set.bytes] + used)
    }

    private static func aggregate(_ units: [[UInt8]]) -> [[UInt8]] {
        var payloads: [[UInt8]] = []
        var payload: [UInt8] = []
        for unit in units {
            if !payload.isEmpty, payload.count + 2 + unit.count > StreamPacket.maximumPayload {
                payloads.append(payload)
                payload = []
            }
            // nal_ref_idc is the highest of the units inside (RFC 6184 §5.7), and parameter sets matter most.
            if payload.isEmpty { payload.append(0x60 | H264NALUnitType.stapA.rawValue) }
            payload.append(UInt16(truncatingIfNeeded: unit.count))
            payload.append(contentsOf: unit)
        }
        payloads.append(payload)
        return payloads
    }
}
