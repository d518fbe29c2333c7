/// Reads the named fields of a parameter set; a failure says which field it was.
struct H264FieldReader {
    private var reader: BitReader

    init(_ reader: BitReader) { self.reader = reader }

    mutating func bits(_ count: Int, _ field: String) throws(H264ParameterSetError) -> UInt32 {
        do throws(BitReader.Exhausted) { return try reader.readBits(count) } catch { throw .truncated(field) }
    }

    mutating func flag(_ field: String) throws(H264ParameterSetError) -> Bool { try bits(1, field) == 1 }

    mutating func unsigned(_ field: String, atMost limit: Int) throws(H264ParameterSetError) -> Int {
        let value: UInt32
        do throws(BitReader.Exhausted) {
            value = try reader.readUnsignedExpGolomb()
        } catch {
            throw .truncated(field)
        }
        guard Int(value) <= limit else { throw .invalid(field) }
        return Int(value)
    }

    mutating func signed(_ field: String) throws(H264ParameterSetError) -> Int {
        do throws(BitReader.Exhausted) {
            return Int(try reader.readSignedExpGolomb())
        } catch {
            throw .truncated(field)
        }
    }

    /// Skips a scaling list (ITU-T H.264 §7.3.2.1.1.1).
    mutating func skipScalingList(size: Int) throws(H264ParameterSetError) {
        var last = 8
        var next = 8
        for _ in 0..<size {
            if next != 0 {
                let delta = try signed("delta_scale")
                guard (-128...127).contains(delta) else { throw .invalid("delta_scale") }
                next = (last + delta + 256) % 256
            }
            last = next == 0 ? last : next
        }
    }

    /// Skips the VUI's fields before the timing information (ITU-T H.264 §E.1.1).
    mutating func skipAspectAndSignal() throws(H264ParameterSetError) {
        if try flag("aspect_ratio_info_present_flag") {
            let extendedSAR: UInt32 = 255
            if try bits(8, "aspect_ratio_idc") == extendedSAR { _ = try bits(32, "sar_width and sar_height") }
        }
        if try flag("overscan_info_present_flag") { _ = try flag("overscan_appropriate_flag") }
        if try flag("video_signal_type_present_flag") {
            _ = try bits(4, "video_format")
            if try flag("colour_description_present_flag") { _ = try bits(24, "colour_description") }
        }
        if try flag("chroma_loc_info_present_flag") {
            _ = try unsigned("chroma_sample_loc_type_top_field", atMost: 5)
            _ = try unsigned("chroma_sample_loc_type_bottom_field", atMost: 5)
        }
    }

    /// Skips hypothetical reference decoder parameters (ITU-T H.264 §E.1.2).
    mutating func skipHRDParameters() throws(H264ParameterSetError) {
        let count = 1 + (try unsigned("cpb_cnt_minus1", atMost: 31))
        _ = try bits(8, "bit_rate_scale and cpb_size_scale")
        for _ in 0..<count {
            _ = try unsigned("bit_rate_value_minus1", atMost: Int(UInt32.max))
            _ = try unsigned("cpb_size_value_minus1", atMost: Int(UInt32.max))
            _ = try flag("cbr_flag")
        }
        _ = try bits(20, "delay and time offset lengths")
    }
}
