import Media
import RTP
import Testing

/// Encoders that number their parameter sets anew with every keyframe, as OpenH264 does unless told otherwise.
@Suite struct RotatingParameterSetsTests {
    /// Bits from the most significant on, as parameter sets and slice headers are made of them.
    private struct Bits {
        var text = ""

        mutating func ue(_ value: Int) {
            let binary = String(value + 1, radix: 2)
            text += String(repeating: "0", count: binary.count - 1) + binary
        }

        /// Closed by a stop bit and zeros.
        var bytes: [UInt8] {
            let closed = text + "1"
            let padded = closed + String(repeating: "0", count: (8 - closed.count % 8) % 8)
            return stride(from: 0, to: padded.count, by: 8).map { start in
                let from = padded.index(padded.startIndex, offsetBy: start)
                return UInt8(padded[from..<padded.index(from, offsetBy: 8)], radix: 2) ?? 0
            }
        }
    }

    /// Baseline, `width` × 16 macroblocks.
    private func sps(_ identifier: Int, width: Int = 20) -> [UInt8] {
        var bits = Bits()
        bits.ue(identifier)
        bits.ue(0)  // log2_max_frame_num_minus4
        bits.ue(2)  // pic_order_cnt_type
        bits.ue(1)  // max_num_ref_frames
        bits.text += "0"
        bits.ue(width - 1)
        bits.ue(15)
        bits.text += "1100"  // frames only, direct_8x8_inference, no cropping, no VUI
        return [0x67, 0x42, 0xC0, 0x1E] + bits.bytes
    }

    private func pps(_ identifier: Int, sequence: Int) -> [UInt8] {
        var bits = Bits()
        bits.ue(identifier)
        bits.ue(sequence)
        bits.text += "00"
        bits.ue(0)
        return [0x68] + bits.bytes
    }

    private func slice(_ header: UInt8, pps: Int, size: Int = 200) -> [UInt8] {
        var bits = Bits()
        bits.ue(0)  // first_mb_in_slice
        bits.ue(header == 0x65 ? 7 : 5)
        bits.ue(pps)
        var unit = [header] + bits.bytes
        while unit.count < size { unit.append(UInt8(1 + unit.count % 250)) }
        return unit
    }

    @Test func `sets that come before their keyframe under new numbers go out with it`() {
        var bench = Bench(sets: nil)
        for number in 0..<200 {
            let (sequence, picture) = (number % 32, number % 57)
            bench.picture([sps(sequence), pps(picture, sequence: sequence), slice(0x65, pps: picture)])
            bench.picture([slice(0x41, pps: picture)])
            let units = bench.units.suffix(2).map(\.units)
            #expect(units.first?.first == sps(sequence))
            #expect(units.first?.dropFirst().contains(pps(picture, sequence: sequence)) == true)
            #expect(units.first?.last == slice(0x65, pps: picture))
        }
        bench.checkInvariants()
        #expect(bench.notices.count == 1, "other numbers are no news")
    }

    /// What rtph264pay does with `config-interval`: before every keyframe it sends all it knows, by number.
    @Test(arguments: [false, true])
    func `a keyframe finds its own among all that were ever sent`(fragmented: Bool) {
        var bench = Bench(sets: nil)
        var known: [Int: [UInt8]] = [:]
        var pictures: [Int: [UInt8]] = [:]
        for number in 0..<140 {
            let (sequence, picture) = (number % 32, number % 57)
            known[sequence] = sps(sequence)
            pictures[picture] = pps(picture, sequence: sequence)
            let sets = known.sorted { $0.key < $1.key }.map(\.value) + pictures.sorted { $0.key < $1.key }.map(\.value)
            let idr = slice(0x65, pps: picture, size: 3_000)
            bench.picture(sets + (fragmented ? NAL.fragments(idr, size: 900) : [idr]))
            bench.picture([slice(0x41, pps: picture)])
            let units = bench.units.suffix(2).first?.units ?? []
            #expect(units.first == sps(sequence), "keyframe \(number)")
            #expect(units.dropFirst().contains(pps(picture, sequence: sequence)), "keyframe \(number)")
            #expect(units.last == idr)
        }
        bench.checkInvariants()
    }

    @Test func `another picture under another number is news`() throws {
        var bench = Bench(sets: nil)
        bench.picture([sps(0), pps(0, sequence: 0), slice(0x65, pps: 0)])
        bench.picture([sps(1, width: 40), pps(1, sequence: 1), slice(0x65, pps: 1)])
        let wide = try H264ParameterSets(sps: sps(1, width: 40), pps: [pps(1, sequence: 1)])
        #expect(bench.notices.last == .parameterSetsChanged(wide))
        // Back to the first, which the camera does not repeat.
        bench.picture([slice(0x65, pps: 0)])
        #expect(bench.units.last?.units == [sps(0), pps(0, sequence: 0), slice(0x65, pps: 0)])
        #expect(bench.ingest.format.h264?.parsed.width == 320)
    }

    @Test func `a camera that gets the numbers wrong is served as well as can be`() {
        var bench = Bench(sets: nil)
        for _ in 0..<2 { bench.picture([sps(0), pps(3, sequence: 9), slice(0x65, pps: 7)]) }
        #expect(bench.units.last?.units == [sps(0), pps(3, sequence: 9), slice(0x65, pps: 7)])
    }
}
