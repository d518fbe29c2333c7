import Media

/// Follows the parameter sets that a camera sends in band.
struct ParameterSetTracker: Sendable {
    /// The sets in force for the next keyframe.
    private(set) var current: H264ParameterSets?
    /// Sets that could not be read.
    private(set) var rejected = 0

    /// PPS kept; more than a handful is not seen in practice.
    static let maximumPPS = 32

    init(_ initial: H264ParameterSets?) { current = initial }

    /// Takes the SPS and PPS among an access unit's NAL units. Repetitions change nothing: sets are compared as bytes.
    mutating func observe(_ units: [[UInt8]]) {
        var sps: [UInt8]?
        var pps: [[UInt8]] = []
        for unit in units {
            switch unit.first.flatMap(H264NALUnitType.init(header:)) {
            case .sps: sps = unit
            case .pps: pps.append(unit)
            default: break
            }
        }
        guard sps != nil || !pps.isEmpty, let newSPS = sps ?? current?.sps else { return }
        let known = current?.pps ?? []
        let isSameSPS = newSPS == current?.sps
        if isSameSPS, pps.allSatisfy(known.contains) { return }
        var newPPS = isSameSPS || pps.isEmpty ? known : []
        for unit in pps where !newPPS.contains(unit) {
            let identifier = Self.identifier(of: unit)
            newPPS.removeAll { Self.identifier(of: $0) == identifier }
            newPPS.append(unit)
        }
        guard newPPS.count <= Self.maximumPPS else {
            rejected += 1
            return
        }
        do {
            current = try H264ParameterSets(sps: newSPS, pps: newPPS)
        } catch {
            rejected += 1
        }
    }

    /// `pic_parameter_set_id`, the first field of a PPS.
    private static func identifier(of pps: [UInt8]) -> UInt32? {
        var bits = BitReader(EmulationPrevention.strip(pps.dropFirst().prefix(8)))
        return try? bits.readUnsignedExpGolomb()
    }
}
