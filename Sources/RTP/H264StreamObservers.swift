import Media

/// Recovery point SEI messages (ITU-T H.264 §D.1.8): where decoding may start without an IDR picture.
enum H264RecoveryPoint {
    /// Whether an SEI NAL unit has such a message.
    static func isPresent(in unit: ArraySlice<UInt8>) -> Bool {
        // The message stands among the first ones; large user data is not worth reading.
        let bytes = EmulationPrevention.strip(unit.dropFirst().prefix(256))
        var index = 0
        func number() -> Int? {
            var value = 0
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                value += Int(byte)
                if byte != 0xFF { return value }
            }
            return nil
        }
        // A message is never as short as the trailing bits.
        while bytes.count - index > 2, let type = number(), let size = number() {
            if type == 6 { return true }
            index += size
        }
        return false
    }
}

/// Watches whether pictures come in another order than they are shown in.
struct H264OrderObserver: Sendable {
    private var last: Int64?
    private var stepsBack = 0
    private var reportedAnnounced = false
    private var reportedObserved = false

    /// Notes a picture's time; returns whether pictures are proved to be reordered.
    mutating func observe(_ timestamp: Int64) -> Bool {
        if let last, timestamp < last { stepsBack += 1 }
        last = timestamp
        // One step back may be a camera that set its clock.
        return stepsBack >= 3
    }

    /// Whether this is news.
    mutating func mayReport(observed: Bool) -> Bool {
        if reportedObserved || (!observed && reportedAnnounced) { return false }
        if observed { reportedObserved = true } else { reportedAnnounced = true }
        return true
    }
}

/// Finds out whether a camera's marker bits mean the end of a picture.
struct MarkerTrust: Sendable {
    private var missing = 0
    private var premature = 0

    /// Whether a marker ends a picture: not when slices of the same picture kept following it.
    var areTrusted: Bool { premature < 3 }

    /// Whether a payload must wait until it is known to be its picture's last.
    var holdsBack: Bool { missing >= 3 || !areTrusted }

    /// The next picture began.
    mutating func pictureEnded(withMarker: Bool) { missing = withMarker ? 0 : min(missing + 1, 3) }

    /// A slice came after its picture's marker.
    mutating func sawPrematureMarker() { premature = min(premature + 1, 3) }
}
