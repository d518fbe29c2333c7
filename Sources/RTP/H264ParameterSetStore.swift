import Media
import Wire

/// The parameter sets as they come in band, ready to be inserted before a keyframe.
struct H264ParameterSetStore: Sendable {
    /// The sets to use, once there are an SPS that can be read and a PPS.
    private(set) var current: H264ParameterSets?
    /// The RTP payloads that carry them: one STAP-A, several when they do not fit one.
    private(set) var payloads: [[UInt8]] = []

    private var sps: [UInt8] = []
    private var pps: [PictureParameterSet] = []

    private struct PictureParameterSet {
        var identifier: UInt32
        var sequenceIdentifier: UInt32
        var bytes: [UInt8]
    }

    /// Cameras use one or two; more are kept only so that nothing is lost.
    private static let maximumPictureParameterSets = 16
    /// Longest PPS that is kept; with scaling lists one may have some hundred bytes.
    private static let maximumLength = 1_024

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
            if unit.elementsEqual(sps) { return true }
            let bytes = Array(unit)
            guard (try? H264SequenceParameterSet(parsing: bytes)) != nil else { return false }
            sps = bytes
        } else {
            if pps.contains(where: { unit.elementsEqual($0.bytes) }) { return true }
            guard let set = Self.parse(pictureParameterSet: unit) else { return false }
            if let index = pps.firstIndex(where: { $0.identifier == set.identifier }) {
                pps[index] = set
            } else {
                if pps.count == Self.maximumPictureParameterSets { pps.removeFirst() }
                pps.append(set)
            }
        }
        rebuild()
        return true
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
        guard let parsed = try? H264SequenceParameterSet(parsing: sps) else { return }
        // PPSs of another SPS are out of use; but cameras also get the number wrong.
        let matching = pps.filter { $0.sequenceIdentifier == UInt32(parsed.identifier) }
        let used = (matching.isEmpty ? pps : matching).map(\.bytes)
        guard !used.isEmpty else { return }
        current = try? H264ParameterSets(sps: sps, pps: used)
        payloads = Self.aggregate([sps] + used)
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
