import Media
import Testing
import Wire

@testable import Relay

/// The packets since the last keyframe, or none.
struct GOPCacheTests {
    private func packet(
        _ number: Int,
        keyframe: Bool = false,
        gap: Bool = false,
        marker: Bool = true,
        track: Int = 0,
        bytes: Int = 10,
        at arrival: Int? = nil
    ) -> StreamPacket {
        StreamPacket(
            track: track,
            sequence: UInt64(number),
            timestamp: Int64(number) * 3_600,
            arrival: .zero + .milliseconds(arrival ?? 40 * number),
            isMarker: marker,
            startsKeyframe: keyframe,
            isKeyframe: keyframe,
            followsGap: gap,
            payload: [UInt8](repeating: 1, count: bytes)
        )
    }

    private func cache(_ packets: [StreamPacket]) -> GOPCache {
        var cache = GOPCache()
        for packet in packets { cache.append(packet, kind: packet.track == 0 ? .video : .audio) }
        return cache
    }

    @Test func `nothing is cached before a keyframe`() {
        let cache = cache([packet(0), packet(1), packet(2, track: 1)])
        #expect(!cache.isUsable && cache.packets.isEmpty && cache.byteCount == 0)
    }

    @Test func `everything since the keyframe is cached, sound included`() {
        let cache = cache([
            packet(0), packet(1, keyframe: true), packet(2, track: 1), packet(3, marker: false), packet(4),
        ])
        #expect(cache.isUsable)
        #expect(cache.packets.map(\.sequence) == [1, 2, 3, 4])
        #expect(cache.byteCount == 40)
        #expect(cache.frameCount == 2)
    }

    @Test func `the next keyframe begins anew`() {
        let cache = cache([packet(0, keyframe: true), packet(1), packet(2, keyframe: true), packet(3)])
        #expect(cache.packets.map(\.sequence) == [2, 3])
        #expect(cache.byteCount == 20 && cache.frameCount == 2)
    }

    @Test func `lost video spoils the group until the next keyframe, lost sound does not`() {
        let sound = cache([packet(0, keyframe: true), packet(1, gap: true, track: 1), packet(2)])
        #expect(sound.packets.count == 3)
        var video = cache([packet(0, keyframe: true), packet(1), packet(2, gap: true), packet(3)])
        #expect(!video.isUsable && video.packets.isEmpty && video.byteCount == 0 && video.frameCount == 0)
        video.append(packet(4, keyframe: true, gap: true), kind: .video)
        #expect(video.packets.map(\.sequence) == [4])
    }

    @Test func `a group longer than 12 s is not cached`() {
        var cache = cache([packet(0, keyframe: true)])
        for number in 1...300 { cache.append(packet(number), kind: .video) }
        #expect(cache.isUsable && cache.packets.count == 301)
        cache.append(packet(301), kind: .video)
        #expect(!cache.isUsable && cache.packets.isEmpty)
        cache.append(packet(302), kind: .video)
        #expect(cache.packets.isEmpty, "its tail cannot be decoded")
    }

    @Test func `a group larger than 32 MiB is not cached`() {
        var cache = cache([packet(0, keyframe: true, bytes: 16 << 20), packet(1, bytes: 16 << 20)])
        #expect(cache.isUsable && cache.byteCount == GOPCache.byteLimit)
        cache.append(packet(2, bytes: 1), kind: .video)
        #expect(!cache.isUsable && cache.byteCount == 0)
    }

    @Test func `a group of very many tiny packets is not cached`() {
        var cache = cache([packet(0, keyframe: true)])
        for number in 1..<GOPCache.packetLimit { cache.append(packet(number, at: 0), kind: .video) }
        #expect(cache.isUsable && cache.packets.count == GOPCache.packetLimit)
        cache.append(packet(GOPCache.packetLimit, at: 0), kind: .video)
        #expect(!cache.isUsable && cache.packets.isEmpty)
    }

    @Test func `a keyframe that is too large by itself is not cached`() {
        let cache = cache([packet(0, keyframe: true, bytes: GOPCache.byteLimit + 1)])
        #expect(!cache.isUsable && cache.packets.isEmpty)
    }

    @Test func `emptied it waits for a keyframe`() {
        var cache = cache([packet(0, keyframe: true), packet(1)])
        cache.removeAll()
        cache.append(packet(2), kind: .video)
        #expect(!cache.isUsable)
    }
}
