/// Why an SPS was refused.
public enum H264ParameterSetError: Error, Equatable, Sendable {
    /// The NAL unit is not of type 7.
    case notAnSPS
    /// It ends before the field named.
    case truncated(String)
    /// The field has a value the standard forbids.
    case invalid(String)
}

/// The fields of an H.264 sequence parameter set that a relay needs (ITU-T H.264 §7.3.2.1.1).
public struct H264SequenceParameterSet: Equatable, Sendable {
    /// `profile_idc`: 66 Baseline, 77 Main, 100 High …
    public var profileIDC: UInt8
    /// The constraint_set flags and reserved bits, as in the bitstream's second byte.
    public var constraintFlags: UInt8
    /// `level_idc`, ten times the level.
    public var levelIDC: UInt8
    /// `seq_parameter_set_id`, 0 to 31.
    public var identifier: Int = 0
    /// `chroma_format_idc`: 0 monochrome, 1 is 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
    public var chromaFormat: Int = 1
    /// Bits per luma sample, 8 to 14.
    public var lumaBitDepth: Int = 8
    /// Bits per chroma sample, 8 to 14.
    public var chromaBitDepth: Int = 8
    /// Whether slice headers carry a `colour_plane_id`.
    public var hasSeparateColourPlanes = false
    /// Bits of `frame_num` in slice headers.
    public var frameNumberBits: Int = 4
    /// `pic_order_cnt_type`, 0 to 2; 2 means output order equals decoding order.
    public var pictureOrderCountType: Int = 0
    /// Bits of `pic_order_cnt_lsb` in slice headers (type 0 only).
    public var pictureOrderCountBits: Int = 0
    /// Whether the stream has frames only, no fields.
    public var isProgressive = true
    /// Width in luma samples after cropping.
    public var width: Int
    /// Height in luma samples after cropping.
    public var height: Int
    /// Frames per second that the VUI claims; cameras lie, never derive durations from it.
    public var claimedFrameRate: Double?
    /// `max_num_reorder_frames` when the VUI says so.
    public var maximumReorderFrames: Int?
    /// Whether pictures may be reordered (B-frames): `false` when the SPS proves that they never are, `true` when it
    /// announces that they are, `nil` when it does not say.
    public var mayReorder: Bool?

    /// Longest SPS that is looked at, in bytes; the largest one cameras were seen to send has 48.
    public static let maximumLength = 1_024

    /// Parses an SPS NAL unit.
    ///
    /// A broken VUI and trailing garbage are no errors: cameras send both.
    public init(parsing nalUnit: [UInt8]) throws(H264ParameterSetError) {
        guard let header = nalUnit.first, H264NALUnitType(header: header) == .sps else { throw .notAnSPS }
        guard nalUnit.count <= Self.maximumLength else { throw .invalid("length") }
        var bits = H264FieldReader(BitReader(EmulationPrevention.strip(nalUnit.dropFirst())))
        profileIDC = UInt8(try bits.bits(8, "profile_idc"))
        constraintFlags = UInt8(try bits.bits(8, "constraint_set_flags"))
        levelIDC = UInt8(try bits.bits(8, "level_idc"))
        width = 0
        height = 0
        identifier = try bits.unsigned("seq_parameter_set_id", atMost: 31)
        if highProfiles.contains(profileIDC) { try readChromaAndDepth(&bits) }
        frameNumberBits = 4 + (try bits.unsigned("log2_max_frame_num_minus4", atMost: 12))
        try readPictureOrderCount(&bits)
        _ = try bits.unsigned("max_num_ref_frames", atMost: 16)
        _ = try bits.flag("gaps_in_frame_num_value_allowed_flag")
        try readSize(&bits)
        readUsability(&bits)
        if profileIDC == 66 || pictureOrderCountType == 2 {
            mayReorder = false
        } else if let maximumReorderFrames {
            mayReorder = maximumReorderFrames > 0
        }
    }

    private mutating func readChromaAndDepth(_ bits: inout H264FieldReader) throws(H264ParameterSetError) {
        chromaFormat = try bits.unsigned("chroma_format_idc", atMost: 3)
        if chromaFormat == 3 { hasSeparateColourPlanes = try bits.flag("separate_colour_plane_flag") }
        lumaBitDepth = 8 + (try bits.unsigned("bit_depth_luma_minus8", atMost: 6))
        chromaBitDepth = 8 + (try bits.unsigned("bit_depth_chroma_minus8", atMost: 6))
        _ = try bits.flag("qpprime_y_zero_transform_bypass_flag")
        guard try bits.flag("seq_scaling_matrix_present_flag") else { return }
        for list in 0..<(chromaFormat == 3 ? 12 : 8) where try bits.flag("seq_scaling_list_present_flag") {
            try bits.skipScalingList(size: list < 6 ? 16 : 64)
        }
    }

    private mutating func readPictureOrderCount(_ bits: inout H264FieldReader) throws(H264ParameterSetError) {
        pictureOrderCountType = try bits.unsigned("pic_order_cnt_type", atMost: 2)
        switch pictureOrderCountType {
        case 0:
            pictureOrderCountBits = 4 + (try bits.unsigned("log2_max_pic_order_cnt_lsb_minus4", atMost: 12))
        case 1:
            _ = try bits.flag("delta_pic_order_always_zero_flag")
            _ = try bits.signed("offset_for_non_ref_pic")
            _ = try bits.signed("offset_for_top_to_bottom_field")
            for _ in 0..<(try bits.unsigned("num_ref_frames_in_pic_order_cnt_cycle", atMost: 255)) {
                _ = try bits.signed("offset_for_ref_frame")
            }
        default:
            break
        }
    }

    private mutating func readSize(_ bits: inout H264FieldReader) throws(H264ParameterSetError) {
        // 1024 macroblocks are 16384 samples, more than any level allows.
        let columns = 1 + (try bits.unsigned("pic_width_in_mbs_minus1", atMost: 1_023))
        let rows = 1 + (try bits.unsigned("pic_height_in_map_units_minus1", atMost: 1_023))
        isProgressive = try bits.flag("frame_mbs_only_flag")
        if !isProgressive { _ = try bits.flag("mb_adaptive_frame_field_flag") }
        _ = try bits.flag("direct_8x8_inference_flag")
        let fieldFactor = isProgressive ? 1 : 2
        width = columns * 16
        height = rows * 16 * fieldFactor
        guard height <= 16_384 else { throw .invalid("pic_height_in_map_units_minus1") }
        guard try bits.flag("frame_cropping_flag") else { return }
        let left = try bits.unsigned("frame_crop_left_offset", atMost: 16_384)
        let right = try bits.unsigned("frame_crop_right_offset", atMost: 16_384)
        let top = try bits.unsigned("frame_crop_top_offset", atMost: 16_384)
        let bottom = try bits.unsigned("frame_crop_bottom_offset", atMost: 16_384)
        // ChromaArrayType is 0 for monochrome and for separately coded planes: the units are then luma samples.
        let chroma = hasSeparateColourPlanes ? 0 : chromaFormat
        width -= (chroma == 1 || chroma == 2 ? 2 : 1) * (left + right)
        height -= (chroma == 1 ? 2 : 1) * fieldFactor * (top + bottom)
        guard width > 0, height > 0 else { throw .invalid("frame_cropping") }
    }

    /// Reads the VUI as far as it goes; what was read before a fault counts.
    private mutating func readUsability(_ bits: inout H264FieldReader) {
        do throws(H264ParameterSetError) {
            guard try bits.flag("vui_parameters_present_flag") else { return }
            try bits.skipAspectAndSignal()
            if try bits.flag("timing_info_present_flag") {
                let tick = try bits.bits(32, "num_units_in_tick")
                let scale = try bits.bits(32, "time_scale")
                _ = try bits.flag("fixed_frame_rate_flag")
                if tick > 0, scale > 0 { claimedFrameRate = Double(scale) / (2 * Double(tick)) }
            }
            let hasNALParameters = try bits.flag("nal_hrd_parameters_present_flag")
            if hasNALParameters { try bits.skipHRDParameters() }
            let hasVCLParameters = try bits.flag("vcl_hrd_parameters_present_flag")
            if hasVCLParameters { try bits.skipHRDParameters() }
            if hasNALParameters || hasVCLParameters { _ = try bits.flag("low_delay_hrd_flag") }
            _ = try bits.flag("pic_struct_present_flag")
            guard try bits.flag("bitstream_restriction_flag") else { return }
            _ = try bits.flag("motion_vectors_over_pic_boundaries_flag")
            for field in ["max_bytes_per_pic_denom", "max_bits_per_mb_denom"] {
                _ = try bits.unsigned(field, atMost: 16)
            }
            for field in ["log2_max_mv_length_horizontal", "log2_max_mv_length_vertical"] {
                _ = try bits.unsigned(field, atMost: 32)
            }
            maximumReorderFrames = try bits.unsigned("max_num_reorder_frames", atMost: 16)
        } catch {
            // Tolerated: Tenda and Xiaomi cameras send VUIs that end in the middle.
        }
    }
}

/// The profiles whose SPS has the chroma format and bit depth fields.
private let highProfiles: Set<UInt8> = [100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139]
