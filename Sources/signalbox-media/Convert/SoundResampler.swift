import CFFmpeg

/// Any decoded sound to interleaved 32-bit floats at 48 kHz.
final class SoundResampler {
    /// Samples per second of what comes out.
    static let sampleRate: Int64 = 48_000

    private let channels: Int
    private var context: OpaquePointer?
    /// What the context was made for; cameras change it in the middle of a stream.
    private var input: (rate: Int32, format: Int32, channels: Int32)?
    private var scratch: [Float] = []

    init(channels: Int) { self.channels = channels }

    deinit { swr_free(&context) }

    /// Samples that went in and have not come out yet, in output samples.
    var delay: Int64 { context.map { swr_get_delay($0, Self.sampleRate) } ?? 0 }

    /// Converts a decoded frame and appends what comes of it.
    func convert(_ frame: UnsafeMutablePointer<AVFrame>, into samples: inout [Float]) throws(MediaError) {
        let (rate, format) = (frame.pointee.sample_rate, frame.pointee.format)
        let wanted = (rate, format, frame.pointee.ch_layout.nb_channels)
        if context == nil || input.map({ $0 != wanted }) ?? true { try open(frame, wanted) }
        let data = frame.pointee.extended_data
        try data?.withMemoryRebound(to: UnsafePointer<UInt8>?.self, capacity: 1) { planes throws(MediaError) in
            try run(planes, count: frame.pointee.nb_samples, into: &samples)
        }
    }

    /// Forgets what it holds back: what comes next does not continue what came before.
    func reset() {
        swr_free(&context)
        input = nil
    }

    private func open(_ frame: UnsafeMutablePointer<AVFrame>, _ wanted: (Int32, Int32, Int32)) throws(MediaError) {
        swr_free(&context)
        guard (4_000...192_000).contains(wanted.0), (1...64).contains(wanted.2) else {
            throw .soundUnusable(rate: wanted.0, channels: wanted.2)
        }
        var output = AVChannelLayout()
        av_channel_layout_default(&output, Int32(channels))
        var code = swr_alloc_set_opts2(
            &context,
            &output,
            AV_SAMPLE_FMT_FLT,
            Int32(Self.sampleRate),
            &frame.pointee.ch_layout,
            AVSampleFormat(rawValue: wanted.1),
            wanted.0,
            0,
            nil
        )
        if code == 0 { code = swr_init(context) }
        guard code == 0 else {
            swr_free(&context)
            throw .soundUnusable(rate: wanted.0, channels: wanted.2)
        }
        input = wanted
    }

    private func run(
        _ planes: UnsafeMutablePointer<UnsafePointer<UInt8>?>,
        count: Int32,
        into samples: inout [Float]
    ) throws(MediaError) {
        let room = swr_get_out_samples(context, count)
        guard room >= 0 else { throw .outOfMemory }
        let needed = Int(room) * channels
        if scratch.count < needed { scratch = [Float](repeating: 0, count: needed) }
        let written = scratch.withUnsafeMutableBytes { bytes -> Int32 in
            var plane = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return swr_convert(context, &plane, room, planes, count)
        }
        guard written >= 0 else { throw .resamplingFailed(code: written) }
        samples += scratch[..<(Int(written) * channels)]
    }
}
