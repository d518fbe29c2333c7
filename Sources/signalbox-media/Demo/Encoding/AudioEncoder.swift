import CFFmpeg

/// What a demo camera's microphone sends.
enum AudioFormat: Sendable {
    /// MPEG-4 AAC-LC, 48 kHz, stereo.
    case aac
    /// G.711 µ-law, 8 kHz, mono.
    case pcmu

    /// Samples per second, which is also the RTP clock.
    var sampleRate: Int64 { self == .aac ? 48_000 : 8_000 }

    /// Samples per packet: one AAC frame, or 20 ms of G.711.
    var samplesPerPacket: Int { self == .aac ? 1_024 : 160 }
}

/// One encoded audio frame.
struct AudioFrame {
    /// Raw AAC or µ-law bytes.
    var bytes: [UInt8]
    /// The first sample's number; negative for the AAC encoder's priming samples.
    var firstSample: Int64
}

/// Turns mono samples into packets' payloads. Belongs to its camera's event loop.
enum AudioEncoder {
    case aac(AACEncoder)
    case pcmu

    init(_ format: AudioFormat) throws(MediaError) {
        switch format {
        case .aac: self = .aac(try AACEncoder())
        case .pcmu: self = .pcmu
        }
    }

    /// Encodes one packet's worth of samples, each between −1 and 1.
    func encode(_ samples: [Float], firstSample: Int64) throws(MediaError) -> [AudioFrame] {
        switch self {
        case .aac(let encoder): try encoder.encode(samples, firstSample: firstSample)
        case .pcmu: [AudioFrame(bytes: samples.map(muLaw), firstSample: firstSample)]
        }
    }
}

/// One sample as ITU-T G.711 µ-law: sign, three bits of segment, four of step, all inverted.
func muLaw(_ sample: Float) -> UInt8 {
    // G.711 works on 14 bits with a bias of 33, so that every segment begins at a power of two.
    let linear = Int32(max(-1, min(1, sample)) * 8_158)
    let magnitude = min(abs(linear), 8_158) + 33
    let segment = 26 - Int32(magnitude.leadingZeroBitCount)
    let step = (magnitude >> (segment + 1)) & 0xF
    let code = (linear < 0 ? 0x80 : 0) | segment << 4 | step
    return ~UInt8(truncatingIfNeeded: code)
}

/// libavcodec's own AAC-LC encoder, mono in, two equal channels out.
final class AACEncoder {
    /// AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), for the SDP.
    let configuration: [UInt8]
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private var frame: UnsafeMutablePointer<AVFrame>?
    private var packet: UnsafeMutablePointer<AVPacket>?

    init() throws(MediaError) {
        guard let codec = avcodec_find_encoder_by_name(Self.name) else { throw .encoderMissing(name: Self.name) }
        guard let context = avcodec_alloc_context3(codec), let frame = av_frame_alloc(), let packet = av_packet_alloc()
        else { throw .outOfMemory }
        context.pointee.sample_fmt = AV_SAMPLE_FMT_FLTP
        context.pointee.sample_rate = Int32(AudioFormat.aac.sampleRate)
        context.pointee.bit_rate = 64_000
        context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
        av_channel_layout_default(&context.pointee.ch_layout, 2)
        let code = avcodec_open2(context, codec, nil)
        configuration = Array(
            UnsafeBufferPointer(start: context.pointee.extradata, count: Int(context.pointee.extradata_size))
        )
        self.context = context
        self.frame = frame
        self.packet = packet
        guard code == 0 else { throw .encoderRefused(name: Self.name, code: code) }
    }

    deinit {
        avcodec_free_context(&context)
        av_frame_free(&frame)
        av_packet_free(&packet)
    }

    func encode(_ samples: [Float], firstSample: Int64) throws(MediaError) -> [AudioFrame] {
        guard let context, let frame, let packet, samples.count == AudioFormat.aac.samplesPerPacket else { return [] }
        // The encoder keeps references to earlier frames (look-ahead of one), so each frame gets fresh planes.
        av_frame_unref(frame)
        frame.pointee.format = AV_SAMPLE_FMT_FLTP.rawValue
        frame.pointee.sample_rate = context.pointee.sample_rate
        frame.pointee.nb_samples = Int32(samples.count)
        av_channel_layout_default(&frame.pointee.ch_layout, 2)
        guard av_frame_get_buffer(frame, 0) == 0 else { throw .outOfMemory }
        for plane in [frame.pointee.data.0, frame.pointee.data.1] {
            guard let plane else { throw .outOfMemory }
            plane.withMemoryRebound(to: Float.self, capacity: samples.count) {
                $0.update(from: samples, count: samples.count)
            }
        }
        frame.pointee.pts = firstSample
        let sent = avcodec_send_frame(context, frame)
        guard sent == 0 else { throw .encodingFailed(name: Self.name, code: sent) }
        var frames: [AudioFrame] = []
        while true {
            let code = avcodec_receive_packet(context, packet)
            if code == signalbox_averror_again { return frames }
            guard code == 0 else { throw .encodingFailed(name: Self.name, code: code) }
            let bytes = UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size))
            frames.append(AudioFrame(bytes: Array(bytes), firstSample: packet.pointee.pts))
            av_packet_unref(packet)
        }
    }

    private static let name = "aac"
}
