import CFFmpeg

/// What stops a codec process, in words for the operator.
enum MediaError: Error, CustomStringConvertible {
    case outOfMemory
    case encoderMissing(name: String)
    case encoderRefused(name: String, code: Int32)
    case encodingFailed(name: String, code: Int32)
    case decoderMissing(name: String)
    case decoderRefused(name: String, code: Int32)
    case soundUnusable(rate: Int32, channels: Int32)
    case soundUndecodable(codec: String)
    case resamplingFailed(code: Int32)
    case listenFailed(camera: String, port: Int, reason: String)

    var description: String {
        switch self {
        case .outOfMemory:
            "There is not enough memory for another picture. Ask for fewer or smaller cameras."
        case .encoderMissing(let name):
            "The encoder \(name) is missing from this system's libavcodec. Install an FFmpeg that was built with it."
        case .encoderRefused(let name, let code):
            "The encoder \(name) refused its settings: \(Self.text(code)). Check --size, --fps, --gop and --bframes."
        case .encodingFailed(let name, let code):
            "The encoder \(name) failed: \(Self.text(code))."
        case .decoderMissing(let name):
            "The decoder \(name) is missing from this system's libavcodec."
        case .decoderRefused(let name, let code):
            "The decoder \(name) refused what the camera says of its sound: \(Self.text(code))."
        case .soundUnusable(let rate, let channels):
            "The camera's sound has \(channels) channels at \(rate) Hz, which cannot be converted."
        case .soundUndecodable(let codec):
            "The camera's sound cannot be decoded as \(codec)."
        case .resamplingFailed(let code):
            "The sound could not be resampled: \(Self.text(code))."
        case .listenFailed(let camera, let port, let reason):
            port == 0
                ? "No port on 127.0.0.1 could be had for \(camera): \(reason)."
                : "Port \(port) on 127.0.0.1, meant for \(camera), cannot be had: \(reason). "
                    + "Stop the program that holds it, or choose another --base-port."
        }
    }

    private static func text(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: Int(AV_ERROR_MAX_STRING_SIZE))
        av_strerror(code, &buffer, buffer.count)
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
