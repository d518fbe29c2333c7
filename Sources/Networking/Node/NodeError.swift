/// Why the relay could not start: what is wrong, and what to do about it.
public struct NodeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in one sentence.
    public var problem: String
    /// What to do, in one imperative sentence.
    public var remedy: String

    /// Creates the error.
    public init(problem: String, remedy: String) {
        self.problem = problem
        self.remedy = remedy
    }

    /// Problem and remedy.
    public var description: String { "\(problem) \(remedy)" }
}
