import CFFmpeg
import Media

/// libavcodec's decoder for a camera's sound.
final class SoundDecoder {
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private var packet: UnsafeMutablePointer<AVPacket>?
    private var frame: UnsafeMutablePointer<AVFrame>?
    private let name: String

    /// - Throws: ``MediaError`` when libavcodec lacks the decoder, or the decoder refuses the configuration.
    init(_ format: TrackFormat) throws(MediaError) {
        let (identifier, name): (AVCodecID, String) =
            switch format.codec {
            case .pcmu: (AV_CODEC_ID_PCM_MULAW, "pcm_mulaw")
            case .pcma: (AV_CODEC_ID_PCM_ALAW, "pcm_alaw")
            case .l16: (AV_CODEC_ID_PCM_S16BE, "pcm_s16be")
            case .g722: (AV_CODEC_ID_ADPCM_G722, "g722")
            default: (AV_CODEC_ID_AAC, "aac")
            }
        self.name = name
        guard let codec = avcodec_find_decoder(identifier) else { throw .decoderMissing(name: name) }
        guard let context = avcodec_alloc_context3(codec), let packet = av_packet_alloc(), let frame = av_frame_alloc()
        else { throw .outOfMemory }
        self.context = context
        self.packet = packet
        self.frame = frame
        context.pointee.thread_count = 1
        // G.722 has a clock of 8 kHz and samples at 16 (RFC 3551 §4.5.2).
        context.pointee.sample_rate = Int32(format.codec == .g722 ? 16_000 : format.clockRate)
        av_channel_layout_default(&context.pointee.ch_layout, Int32(format.channels))
        if let configuration = format.aac?.bytes, !configuration.isEmpty {
            // libavcodec frees it, and reads beyond its end.
            let size = configuration.count + Int(AV_INPUT_BUFFER_PADDING_SIZE)
            guard let extradata = av_mallocz(size) else { throw .outOfMemory }
            extradata.copyMemory(from: configuration, byteCount: configuration.count)
            context.pointee.extradata = extradata.assumingMemoryBound(to: UInt8.self)
            context.pointee.extradata_size = Int32(configuration.count)
        }
        let code = avcodec_open2(context, codec, nil)
        guard code == 0 else { throw .decoderRefused(name: name, code: code) }
    }

    deinit {
        avcodec_free_context(&context)
        av_packet_free(&packet)
        av_frame_free(&frame)
    }

    /// Decodes one payload and hands out what comes of it; a payload that cannot be decoded gives nothing.
    ///
    /// - Returns: Whether it could be decoded.
    func decode(
        _ payload: [UInt8],
        _ body: (UnsafeMutablePointer<AVFrame>) throws(MediaError) -> Void
    ) throws(MediaError) -> Bool {
        guard let context, let packet, let frame, !payload.isEmpty else { return false }
        guard av_new_packet(packet, Int32(clamping: payload.count)) == 0, let data = packet.pointee.data else {
            throw .outOfMemory
        }
        data.update(from: payload, count: payload.count)
        let sent = avcodec_send_packet(context, packet)
        av_packet_unref(packet)
        guard sent == 0 else { return false }
        while true {
            let code = avcodec_receive_frame(context, frame)
            if code == signalbox_averror_again { return true }
            guard code == 0 else { return false }
            defer { av_frame_unref(frame) }
            try body(frame)
        }
    }
}
