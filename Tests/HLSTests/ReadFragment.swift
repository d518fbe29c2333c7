import Wire

/// A `moof` and `mdat` as a demuxer sees them.
struct ReadFragment {
    struct Track {
        var id: UInt32
        var decodeTime: UInt64
        var durations: [UInt32] = []
        var sizes: [UInt32] = []
        var flags: [UInt32] = []
        var compositionOffsets: [Int32] = []
        var dataOffset: Int
        var end: UInt64 { decodeTime + durations.reduce(0) { $0 + UInt64($1) } }
    }

    var sequenceNumber: UInt32 = 0
    var tracks: [Track] = []
    var data: ArraySlice<UInt8> = []
    /// Offset of the data in the fragment.
    var dataStart = 0

    struct Malformed: Error {}

    init(_ bytes: [UInt8]) throws {
        var reader = ByteReader(bytes)
        let moof = try box(&reader, "moof")
        dataStart = reader.offset + 8
        data = try box(&reader, "mdat")
        guard reader.isAtEnd else { throw Malformed() }
        reader = ByteReader(moof)
        var header = ByteReader(try box(&reader, "mfhd"))
        try header.skip(4)
        sequenceNumber = try header.readUInt32()
        while !reader.isAtEnd { tracks.append(try track(try box(&reader, "traf"))) }
    }

    private func track(_ bytes: ArraySlice<UInt8>) throws -> Track {
        var reader = ByteReader(bytes)
        var header = ByteReader(try box(&reader, "tfhd"))
        guard try header.readUInt32() == 0x02_0000 else { throw Malformed() }
        let id = try header.readUInt32()
        var time = ByteReader(try box(&reader, "tfdt"))
        guard try time.readUInt32() == 0x0100_0000 else { throw Malformed() }
        let decodeTime = try time.readUInt64()
        var run = ByteReader(try box(&reader, "trun"))
        let flags = try run.readUInt32() & 0xFF_FFFF
        let count = try run.readUInt32()
        var track = Track(id: id, decodeTime: decodeTime, dataOffset: Int(try run.readUInt32()))
        for _ in 0..<count {
            track.durations.append(try run.readUInt32())
            track.sizes.append(try run.readUInt32())
            if flags & 0x400 != 0 { track.flags.append(try run.readUInt32()) }
            if flags & 0x800 != 0 { track.compositionOffsets.append(Int32(bitPattern: try run.readUInt32())) }
        }
        guard run.isAtEnd, reader.isAtEnd else { throw Malformed() }
        return track
    }

    private func box(_ reader: inout ByteReader, _ type: String) throws -> ArraySlice<UInt8> {
        let size = Int(try reader.readUInt32())
        guard Array(try reader.readBytes(4)) == Array(type.utf8), size >= 8 else { throw Malformed() }
        return try reader.readBytes(size - 8)
    }
}
