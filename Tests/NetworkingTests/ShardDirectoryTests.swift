import Testing

@testable import Networking

/// Where viewers are taken in.
struct ShardDirectoryTests {
    @Test func `viewers stay with their camera until another loop has clearly less to do`() {
        let directory = ShardDirectory(shards: 3, keptHome: 8)
        var counts = [0, 0, 0]
        for _ in 0..<8 {
            let place = directory.place(forViewerOf: 1)
            #expect(place == 1)
            counts[place] += 1
            directory.note(viewers: counts[place], at: place)
        }
        #expect(directory.place(forViewerOf: 1) == 0)
        #expect(directory.place(forViewerOf: 1) == 2, "the one before counts though its loop has not said so")
        directory.note(viewers: 3, at: 1)
        #expect(directory.place(forViewerOf: 1) == 1)
    }

    @Test func `five hundred who come at once are spread evenly`() {
        let directory = ShardDirectory(shards: 2, keptHome: 8)
        var counts = [0, 0]
        for _ in 0..<500 {
            let place = directory.place(forViewerOf: 0)
            counts[place] += 1
            directory.note(viewers: counts[place], at: place)
        }
        #expect(counts == [254, 246])
    }
}
