import Testing
import Wire

/// Time as the cores see it.
struct InstantTests {
    @Test func `instants and durations add up`() {
        let start = Instant(nanoseconds: 1_000)
        #expect(start + .microseconds(2) == Instant(nanoseconds: 3_000))
        #expect(start - .microseconds(2) == Instant(nanoseconds: -1_000))
        #expect(start + .seconds(1) - start == .seconds(1))
        #expect(Instant.zero < start)
        var moved = start
        moved += .nanoseconds(1)
        #expect(moved.nanoseconds == 1_001)
    }

    @Test func `a duration is told in the unit asked for`() {
        #expect(Duration.milliseconds(1_500).inSeconds == 1.5)
        #expect(Duration.microseconds(1_500).inMilliseconds == 1.5)
        #expect(Duration.milliseconds(-1_500).wholeNanoseconds == -1_500_000_000)
    }

    @Test func `nanoseconds saturate instead of overflowing`() {
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
        #expect(
            Duration(secondsComponent: 9_223_372_036, attosecondsComponent: 999_999_999_999_999_999).wholeNanoseconds
                == .max
        )
    }

    @Test func `the earliest deadline is the earliest there is`() {
        let (early, late) = (Instant(nanoseconds: 1), Instant(nanoseconds: 2))
        #expect(earliest(nil, late, early, nil) == early)
        #expect(earliest(nil, nil) == nil)
        #expect(earliest(early, nil) == early)
    }
}

/// Passwords stay where they are.
struct SecretTests {
    struct Holder {
        var secret = Secret("hunter2")
    }

    @Test func `a secret does not show in any text made of it`() {
        let holder = Holder()
        var dumped = ""
        dump(holder, to: &dumped)
        for text in [
            "\(holder)", String(reflecting: holder), "\(holder.secret)", String(describing: holder.secret), dumped,
        ] {
            #expect(!text.contains("hunter2"))
        }
        #expect(holder.secret.reveal() == "hunter2")
    }

    @Test func `secrets can be compared`() {
        #expect(Secret("hunter2").matches(Secret("hunter2")))
        #expect(!Secret("hunter2").matches(Secret("hunter3")))
        #expect(!Secret("hunter2").matches(Secret("hunter22")))
        #expect(Secret("").matches(Secret("")))
    }
}
