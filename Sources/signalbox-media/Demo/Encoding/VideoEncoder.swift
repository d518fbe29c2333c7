import CFFmpeg

/// What a demo camera's video looks like on the wire.
struct VideoSettings: Sendable {
    var width = 1280
    var height = 720
    var framesPerSecond = 25
    var gopSeconds = 2.0
    /// Successive B-frames; 0, as a good camera has it, keeps the baseline profile.
    var bFrames = 0

    /// Pictures from one IDR picture to the next.
    var gopLength: Int { max(1, Int((gopSeconds * Double(framesPerSecond)).rounded())) }
}

/// One encoded picture, in decoding order.
struct AccessUnit {
    /// NAL units behind Annex B start codes.
    var annexB: [UInt8]
    /// When it is shown, in pictures since the encoder started.
    var presentationIndex: Int64
}

/// x264 at its cheapest: one thread, no look-ahead, parameter sets before every IDR picture.
///
/// Belongs to its camera's event loop.
final class VideoEncoder {
    /// Sequence and picture parameter sets behind Annex B start codes, for the SDP.
    let parameterSets: [UInt8]
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private var packet: UnsafeMutablePointer<AVPacket>?

    /// - Throws: ``MediaError`` when libavcodec has no x264 or x264 refuses the settings.
    init(_ settings: VideoSettings) throws(MediaError) {
        guard let codec = avcodec_find_encoder_by_name(Self.name) else { throw .encoderMissing(name: Self.name) }
        guard let context = avcodec_alloc_context3(codec), let packet = av_packet_alloc() else { throw .outOfMemory }
        let rate = Int32(settings.framesPerSecond)
        context.pointee.width = Int32(settings.width)
        context.pointee.height = Int32(settings.height)
        context.pointee.pix_fmt = AV_PIX_FMT_YUV420P
        context.pointee.time_base = AVRational(num: 1, den: rate)
        context.pointee.framerate = AVRational(num: rate, den: 1)
        context.pointee.gop_size = Int32(settings.gopLength)
        context.pointee.keyint_min = Int32(settings.gopLength)
        context.pointee.max_b_frames = Int32(settings.bFrames)
        context.pointee.thread_count = 1
        context.pointee.color_range = AVCOL_RANGE_MPEG
        context.pointee.colorspace = AVCOL_SPC_BT709
        context.pointee.color_primaries = AVCOL_PRI_BT709
        context.pointee.color_trc = AVCOL_TRC_BT709
        // Parameter sets are wanted twice: ahead of time for the SDP, and repeated in band.
        context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
        var options = [
            ("preset", "ultrafast"), ("tune", "zerolatency"), ("qp", Self.quantiser), ("forced-idr", "1"),
            ("x264-params", "repeat-headers=1:scenecut=0:sliced-threads=0"),
        ]
        if settings.bFrames == 0 { options.append(("profile", "baseline")) }
        // An option that this x264 does not know is no reason to fail: avcodec_open2 judges the whole.
        for (option, value) in options { av_opt_set(context.pointee.priv_data, option, value, 0) }
        let code = avcodec_open2(context, codec, nil)
        parameterSets = Array(
            UnsafeBufferPointer(start: context.pointee.extradata, count: Int(context.pointee.extradata_size))
        )
        self.context = context
        self.packet = packet
        guard code == 0 else { throw .encoderRefused(name: Self.name, code: code) }
    }

    deinit {
        avcodec_free_context(&context)
        av_packet_free(&packet)
    }

    /// Encodes the picture that `canvas` holds now.
    ///
    /// - Parameter keyframe: Makes this an IDR picture and starts a new GOP with it.
    /// - Returns: Finished access units: one, or with B-frames none or several.
    func encode(_ canvas: Canvas, index: Int64, keyframe: Bool) throws(MediaError) -> [AccessUnit] {
        guard let context, let packet else { return [] }
        canvas.frame.pointee.pts = index
        canvas.frame.pointee.pict_type = keyframe ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE
        let sent = avcodec_send_frame(context, canvas.frame)
        guard sent == 0 else { throw .encodingFailed(name: Self.name, code: sent) }
        var units: [AccessUnit] = []
        while true {
            let code = avcodec_receive_packet(context, packet)
            if code == signalbox_averror_again { return units }
            guard code == 0 else { throw .encodingFailed(name: Self.name, code: code) }
            let bytes = UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size))
            units.append(AccessUnit(annexB: Array(bytes), presentationIndex: packet.pointee.pts))
            av_packet_unref(packet)
        }
    }

    private static let name = "libx264"
    /// A constant quantiser spares x264 the half-size copy of each picture that every rate control needs, a third of
    /// the whole cost. What is drawn is known, and takes 0.7 Mbit/s with a keyframe of some 55 kB every two seconds.
    private static let quantiser = "16"
}
