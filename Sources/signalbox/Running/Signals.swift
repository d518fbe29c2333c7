import Dispatch
import Foundation

/// Turns signals into values: the handler does nothing but wake whoever waits.
final class SignalWatch {
    private let sources: [any DispatchSourceSignal]
    /// The signals as they come.
    let signals: AsyncStream<Int32>

    /// Watches `numbers`, whose default action no longer takes place.
    init(_ numbers: [Int32]) {
        let (stream, continuation) = AsyncStream<Int32>.makeStream(bufferingPolicy: .bufferingNewest(8))
        signals = stream
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }

    /// Waits for the first signal.
    func first() async -> Int32? {
        for await number in signals { return number }
        return nil
    }
}
