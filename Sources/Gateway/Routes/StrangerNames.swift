import Synchronization
import Wire

/// What clients are called in TURN credentials that ask for servers before they have a session.
///
/// What they allocate is counted by these names. Behind one address may be several viewers, each of whose programs
/// allocates on every interface by every transport, so that each has a name of its own; but there are only so many for an
/// address, so that asking again and again gives nobody more than they hold together.
final class StrangerNames: Sendable {
    private let count = Atomic<UInt64>(0)

    /// A name for the next client at `address`.
    func next(at address: IPAddress) -> String {
        let number = count.wrappingAdd(1, ordering: .relaxed).oldValue % Self.perAddress
        return "\(address.subscriber)/\(number)"
    }

    /// Names of one address: with ten allocations each, more than the 128 that TURN lets an address have.
    static let perAddress: UInt64 = 16
}
