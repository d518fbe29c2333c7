import Wire

/// How long a viewer's pictures have to wait for the sound that belongs to them.
///
/// Sound is longer on its way: the camera gathers it into packets, a converter into others, and a browser's player keeps
/// some in store. Browsers bring the two together by themselves, but take many seconds for it; told by how much sound is
/// late (``PlayoutDelay``), they show and play together what belongs together soon after the start.
struct LipSync {
    /// What pictures wait for, in steps of ``PlayoutDelay/step``; 0 until sound has been heard.
    private(set) var hold: UInt8 = 0

    /// The ages of the oldest and the youngest sound since the measurement began.
    private var sound: (oldest: Duration, youngest: Duration)?
    /// The age of the youngest picture since then. It may be negative: what counts is the difference.
    private var youngestPicture: Duration?
    private var measuredUntil: Instant?
    /// What the measurement before asked for.
    private var wantedBefore: UInt8?

    /// Takes note of a picture that is complete `age` after its own time.
    mutating func notePicture(_ age: Duration) { youngestPicture = youngestPicture.map { min($0, age) } ?? age }

    /// Takes note of sound that leaves now, `age` after its own time.
    mutating func noteSound(_ age: Duration, at now: Instant) {
        let before = sound ?? (age, age)
        let heard = (oldest: max(before.oldest, age), youngest: min(before.youngest, age))
        sound = heard
        guard let until = measuredUntil else {
            measuredUntil = now + Self.firstMeasurement
            return
        }
        guard now >= until, let picture = youngestPicture else { return }
        // Of what comes unevenly, as out of a converter, players keep more in store.
        let late = heard.oldest - picture + Self.playerDelay + (heard.oldest - heard.youngest) / 2
        let wanted = PlayoutDelay.steps(min(max(late, .zero), Self.longest))
        (sound, youngestPicture) = (nil, nil)
        measuredUntil = now + Self.measurement
        defer { wantedBefore = wanted }
        guard let before = wantedBefore else {
            hold = wanted
            return
        }
        // Longer only when sound was late twice, so that one late packet moves nothing; that none was late in all of a
        // second proves that waiting for less will do.
        let longer = min(before, wanted)
        if longer >= hold + Self.hysteresis { hold = longer }
        if wanted + Self.hysteresis <= hold { hold = wanted }
    }

    /// How much longer a browser's player of sound takes than that of pictures: Chromium's keeps 80 ms in store at first,
    /// 20 to 60 later, and its output some 20 more.
    private static let playerDelay = Duration.milliseconds(80)
    /// Sound that is later than this is not waited for.
    private static let longest = Duration.milliseconds(300)
    /// Long enough for all the packets that a converter makes of one frame of the camera: the oldest of them counts.
    private static let firstMeasurement = Duration.milliseconds(100)
    private static let measurement = Duration.seconds(1)
    /// In steps of ``PlayoutDelay/step``.
    private static let hysteresis: UInt8 = 4
}
