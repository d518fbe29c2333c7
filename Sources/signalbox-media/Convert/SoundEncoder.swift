import CFFmpeg
import Media

/// libavcodec's encoder for Opus or AAC at 48 kHz.
final class SoundEncoder {
    /// Samples per frame and channel.
    let samplesPerFrame: Int
    private let channels: Int
    private let isPlanar: Bool
    private let name: String
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private var frame: UnsafeMutablePointer<AVFrame>?
    private var packet: UnsafeMutablePointer<AVPacket>?

    /// - Throws: ``MediaError`` when libavcodec lacks the encoder or it refuses its settings.
    init(_ conversion: AudioConversion) throws(MediaError) {
        let isOpus = conversion.result.codec == .opus
        name = isOpus ? "libopus" : "aac"
        channels = conversion.result.channels
        samplesPerFrame = conversion.samplesPerFrame
        isPlanar = !isOpus
        guard let codec = avcodec_find_encoder_by_name(name) else { throw .encoderMissing(name: name) }
        guard let context = avcodec_alloc_context3(codec), let frame = av_frame_alloc(), let packet = av_packet_alloc()
        else { throw .outOfMemory }
        self.context = context
        self.frame = frame
        self.packet = packet
        context.pointee.thread_count = 1
        context.pointee.sample_fmt = isPlanar ? AV_SAMPLE_FMT_FLTP : AV_SAMPLE_FMT_FLT
        context.pointee.sample_rate = Int32(SoundResampler.sampleRate)
        context.pointee.time_base = AVRational(num: 1, den: Int32(SoundResampler.sampleRate))
        context.pointee.bit_rate = Int64((isOpus ? 40_000 : 64_000) * channels)
        context.pointee.compression_level = isOpus ? Self.opusComplexity : context.pointee.compression_level
        if !isOpus { context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER }
        av_channel_layout_default(&context.pointee.ch_layout, Int32(channels))
        let code = avcodec_open2(context, codec, nil)
        guard code == 0 else { throw .encoderRefused(name: name, code: code) }
        guard Int(context.pointee.frame_size) == samplesPerFrame else {
            throw .encoderRefused(name: name, code: signalbox_averror_invalid)
        }
    }

    deinit {
        avcodec_free_context(&context)
        av_frame_free(&frame)
        av_packet_free(&packet)
    }

    /// Encodes one frame of interleaved samples.
    ///
    /// - Parameter timestamp: Time of the first sample. What comes out is labelled with the time of *its* first sample,
    ///   which lies the encoder's look-ahead earlier.
    func encode(
        _ samples: ArraySlice<Float>,
        timestamp: Int64,
        into frames: inout [ConversionFrame]
    ) throws(MediaError) {
        guard let context, let frame, let packet, samples.count == samplesPerFrame * channels else { return }
        // The encoder keeps references to earlier frames, so each gets fresh planes.
        av_frame_unref(frame)
        frame.pointee.format = context.pointee.sample_fmt.rawValue
        frame.pointee.sample_rate = context.pointee.sample_rate
        frame.pointee.nb_samples = Int32(samplesPerFrame)
        frame.pointee.pts = timestamp
        av_channel_layout_default(&frame.pointee.ch_layout, Int32(channels))
        guard av_frame_get_buffer(frame, 0) == 0 else { throw .outOfMemory }
        let planes = [frame.pointee.data.0, frame.pointee.data.1]
        for plane in 0..<(isPlanar ? channels : 1) {
            guard let data = planes[plane] else { throw .outOfMemory }
            let count = isPlanar ? samplesPerFrame : samples.count
            data.withMemoryRebound(to: Float.self, capacity: count) { target in
                for index in 0..<count {
                    target[index] = samples[samples.startIndex + (isPlanar ? index * channels + plane : index)]
                }
            }
        }
        let sent = avcodec_send_frame(context, frame)
        guard sent == 0 else { throw .encodingFailed(name: name, code: sent) }
        while true {
            let code = avcodec_receive_packet(context, packet)
            if code == signalbox_averror_again { return }
            guard code == 0 else { throw .encodingFailed(name: name, code: code) }
            let bytes = UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size))
            frames.append(ConversionFrame(timestamp: packet.pointee.pts, payload: Array(bytes)))
            av_packet_unref(packet)
        }
    }

    /// Of 10: what speech gains beyond it nobody hears, and it costs half as much.
    private static let opusComplexity: Int32 = 5
}
