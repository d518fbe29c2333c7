/// A failure to do what was asked on the command line, with what to do about it.
struct StartFailure: Error, CustomStringConvertible {
    var problem: String
    var remedy: String
    /// 78 (EX_CONFIG) for configuration, `ctl`'s codes, 1 otherwise.
    var exitCode: Int32 = 1

    var description: String { "\(problem.endedAsSentence) \(remedy.endedAsSentence)" }
}

extension String {
    /// With a full stop, unless it has its end.
    var endedAsSentence: String {
        hasSuffix(".") || hasSuffix("?") || hasSuffix("!") ? self : self + "."
    }
}
