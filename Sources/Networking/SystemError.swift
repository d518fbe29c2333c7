import Glibc
import NIOCore

/// A number from `errno` with the system's words for it.
struct SystemError: Error, Equatable, CustomStringConvertible {
    let code: Int32

    init(_ code: Int32) { self.code = code }

    /// Turns the result of a C function of ours, a count or `-errno`, into a value or an error.
    static func check(_ result: Int32) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(-result) }
        return result
    }

    /// What the system says of an error, whoever reports it.
    static func text(of error: any Error) -> String {
        (error as? IOError).map { SystemError($0.errnoCode).description } ?? "\(error)"
    }

    var description: String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
