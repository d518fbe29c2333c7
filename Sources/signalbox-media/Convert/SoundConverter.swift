import Media

/// Decodes, resamples and encodes one camera's sound, on the relay's timeline.
///
/// Frames come out with timestamps by sample count, which start at the input's and are brought back to them wherever
/// the two are a frame apart: holes stay holes, and nothing adds up.
final class SoundConverter {
    private let conversion: AudioConversion
    private let decoder: SoundDecoder
    private let resampler: SoundResampler
    private let encoder: SoundEncoder
    private let channels: Int
    /// Interleaved samples that wait for a whole frame.
    private var waiting: [Float] = []
    /// Time of the first of them; `nil` before the first input.
    private var position: Int64?
    /// Where the next frame of the result begins when nothing is missing.
    private var nextResult: Int64?
    private var undecodable = 0

    /// - Throws: ``MediaError`` when a codec cannot be had.
    init(_ conversion: AudioConversion) throws(MediaError) {
        self.conversion = conversion
        channels = conversion.result.channels
        decoder = try SoundDecoder(conversion.source)
        resampler = SoundResampler(channels: channels)
        encoder = try SoundEncoder(conversion)
    }

    /// Takes one frame of the source.
    ///
    /// - Returns: The frames of the result that are ready, in order.
    /// - Throws: ``MediaError`` when going on is pointless.
    func convert(_ frame: ConversionFrame) throws(MediaError) -> [ConversionFrame] {
        var results: [ConversionFrame] = []
        // Centuries away: no camera's, and sums with it would overflow.
        guard frame.timestamp.magnitude < 1 << 50 else { return [] }
        let start = frame.timestamp.rescaled(from: Int64(conversion.source.clockRate), to: SoundResampler.sampleRate)
        let skipped = try align(to: start, into: &results)
        let before = waiting.count
        let isDecoded = try decoder.decode(frame.payload) { decoded throws(MediaError) in
            try resampler.convert(decoded, into: &waiting)
        }
        undecodable = isDecoded ? 0 : undecodable + 1
        guard undecodable < Self.patience else { throw .soundUndecodable(codec: conversion.source.codec.rawValue) }
        if skipped > 0 {
            let count = min(Int(skipped) * channels, waiting.count - before)
            waiting.removeSubrange(before..<(before + count))
        }
        try encodeWholeFrames(into: &results)
        markGaps(in: &results)
        return results
    }

    /// Brings the count of samples to where the input says it is.
    ///
    /// - Returns: How many samples of what comes next were already there.
    private func align(to start: Int64, into results: inout [ConversionFrame]) throws(MediaError) -> Int64 {
        guard let position else {
            self.position = start
            return 0
        }
        let end = position + Int64(waiting.count / channels) + resampler.delay
        let difference = start - end
        guard abs(difference) >= Int64(encoder.samplesPerFrame) else { return 0 }
        if difference < 0, difference > -SoundResampler.sampleRate { return -difference }
        // What waits is completed with silence, of which the hole has enough; then the count begins anew.
        resampler.reset()
        if !waiting.isEmpty {
            let missing = encoder.samplesPerFrame * channels - waiting.count
            waiting += [Float](repeating: 0, count: max(0, missing))
            try encodeWholeFrames(into: &results)
            waiting.removeAll(keepingCapacity: true)
        }
        self.position = start
        return 0
    }

    private func encodeWholeFrames(into results: inout [ConversionFrame]) throws(MediaError) {
        guard var position else { return }
        let size = encoder.samplesPerFrame * channels
        var offset = 0
        while waiting.count - offset >= size {
            try encoder.encode(waiting[offset..<(offset + size)], timestamp: position, into: &results)
            offset += size
            position += Int64(encoder.samplesPerFrame)
        }
        waiting.removeFirst(offset)
        self.position = position
    }

    /// By what comes out, because an encoder's look-ahead holds earlier frames back.
    private func markGaps(in results: inout [ConversionFrame]) {
        for index in results.indices {
            let timestamp = results[index].timestamp
            results[index].followsGap = nextResult.map { $0 != timestamp } ?? false
            nextResult = timestamp &+ Int64(encoder.samplesPerFrame)
        }
    }

    /// Frames in a row that may be broken: two seconds and more.
    private static let patience = 100
}

extension Int64 {
    /// The time in another timescale, rounded down.
    fileprivate func rescaled(from old: Int64, to new: Int64) -> Int64 {
        let (seconds, rest) = quotientAndRemainder(dividingBy: Swift.max(1, old))
        return seconds &* new &+ rest &* new / Swift.max(1, old)
    }
}
