import Relay
import Testing

/// Whose the allocations are that the TURN server has.
struct TURNSnapshotTests {
    private func pair(
        _ viewer: String,
        _ relayed: String?,
        checks: UInt64 = 3,
        isSelected: Bool = false
    )
        -> PairSnapshot
    {
        var pair = PairSnapshot(
            id: "\(viewer)/1",
            viewer: viewer,
            camera: "gate",
            local: "host 192.0.2.1:8189",
            remote: "relay \(relayed ?? "203.0.113.9:5")",
            transport: "turn/udp",
            state: "succeeded"
        )
        (pair.relayed, pair.checksReceived, pair.isSelected) = (relayed, checks, isSelected)
        return pair
    }

    private func owner(_ credentials: String?, _ pairs: PairSnapshot...) -> String? {
        var turn = TURNSnapshot()
        turn.allocations = [
            AllocationSnapshot(
                id: "198.19.0.1:49152",
                viewer: credentials,
                user: "u",
                transport: "turn/udp",
                client: "203.0.113.9:4",
                server: "192.0.2.1:3478",
                age: 1,
                remaining: 599
            )
        ]
        turn.nameOwners(by: pairs)
        return turn.allocations.first?.viewer
    }

    @Test func `an allocation made before there was a viewer is the viewer's whose checks come through it`() {
        #expect(owner(nil, pair("a", nil), pair("b", "198.19.0.1:49152"), pair("c", "198.19.0.2:49152")) == "b")
        #expect(owner(nil, pair("a", nil)) == nil)
    }

    @Test func `credentials tell until checks do, and who plays through it goes before who only checked`() {
        #expect(owner("a") == "a")
        #expect(owner("a", pair("b", "198.19.0.1:49152")) == "b")
        let (checked, plays) = (pair("b", "198.19.0.1:49152"), pair("c", "198.19.0.1:49152", isSelected: true))
        #expect(owner(nil, checked, plays) == "c" && owner(nil, plays, checked) == "c")
    }

    @Test func `who only names the address does not get it`() {
        #expect(owner(nil, pair("thief", "198.19.0.1:49152", checks: 0)) == nil)
    }
}
