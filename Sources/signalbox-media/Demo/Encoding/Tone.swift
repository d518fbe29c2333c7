import Glibc

/// The sound of a demo camera: silence, and a soft beep over the first 100 ms of each second of wall-clock time.
///
/// The beep begins with the second that the picture's clock shows, so the offset between the two at a viewer is the
/// viewer's lip-sync error.
enum Tone {
    static let lengthMilliseconds: Int64 = 100

    /// Samples between −1 and 1.
    ///
    /// - Parameter start: Unix time of the first sample, in nanoseconds.
    static func samples(count: Int, rate: Int64, start: Int64) -> [Float] {
        let length = lengthMilliseconds * 1_000_000
        return (0..<count).map { index in
            let time = (start + Int64(index) * 1_000_000_000 / rate) % 1_000_000_000
            guard time < length, time >= 0 else { return 0 }
            // Ramps of 4 ms keep the beep from clicking.
            let ramp = min(1, Float(min(time, length - time)) / 4_000_000)
            return amplitude * ramp * sinf(2 * .pi * frequency * Float(time) / 1e9)
        }
    }

    private static let frequency: Float = 1_000
    private static let amplitude: Float = 0.12
}
