import Media
import Wire

extension FMP4Writer {
    /// Writes an initialization segment: `ftyp` and a `moov` without samples.
    public static func initSegment(video: H264ParameterSets, audio: Audio?) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBox("ftyp") { ftyp in
            ftyp.append(contentsOf: "iso6".utf8)
            ftyp.append(UInt32(0))
            ftyp.append(contentsOf: "iso6mp42cmfc".utf8)
        }
        bytes.appendBox("moov") { moov in
            moov.appendFullBox("mvhd") { mvhd in
                mvhd.appendZeros(8)  // creation and modification time
                mvhd.append(UInt32(1_000))
                mvhd.append(UInt32(0))
                mvhd.append(UInt32(0x0001_0000))  // rate 1.0
                mvhd.append(UInt16(0x0100))  // volume 1.0
                mvhd.appendZeros(10)
                mvhd.appendIdentityMatrix()
                mvhd.appendZeros(24)
                mvhd.append(audioTrackID + 1)
            }
            moov.appendVideoTrack(video)
            if let audio { moov.appendAudioTrack(audio) }
            moov.appendBox("mvex") { mvex in
                mvex.appendTrackExtends(trackID: videoTrackID, flags: nonSyncSampleFlags)
                if audio != nil { mvex.appendTrackExtends(trackID: audioTrackID, flags: syncSampleFlags) }
            }
        }
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func appendIdentityMatrix() {
        for value: UInt32 in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] { append(value) }
    }

    fileprivate mutating func appendTrackExtends(trackID: UInt32, flags: UInt32) {
        appendFullBox("trex") { trex in
            trex.append(trackID)
            trex.append(UInt32(1))  // the only sample entry
            trex.appendZeros(8)
            trex.append(flags)
        }
    }

    fileprivate mutating func appendVideoTrack(_ video: H264ParameterSets) {
        let width = UInt16(clamping: video.parsed.width)
        let height = UInt16(clamping: video.parsed.height)
        appendTrack(
            id: videoTrackID,
            size: (width, height),
            timescale: UInt32(FMP4Writer.videoTimescale),
            handler: "vide",
            mediaHeader: { $0.appendFullBox("vmhd", flags: 1) { $0.appendZeros(8) } },
            sampleEntry: { stsd in
                stsd.appendBox("avc1") { entry in
                    entry.appendSampleEntryStart()
                    entry.appendZeros(16)
                    entry.append(width)
                    entry.append(height)
                    entry.append(UInt32(0x0048_0000))  // 72 dpi
                    entry.append(UInt32(0x0048_0000))
                    entry.append(UInt32(0))
                    entry.append(UInt16(1))  // frames per sample
                    entry.appendZeros(32)  // compressor name
                    entry.append(UInt16(0x0018))
                    entry.append(UInt16(0xFFFF))
                    entry.appendAVCConfiguration(video)
                }
            }
        )
    }

    /// `avcC` (ISO/IEC 14496-15 §5.3.3.1) with four-byte NAL unit lengths.
    fileprivate mutating func appendAVCConfiguration(_ video: H264ParameterSets) {
        appendBox("avcC") { box in
            let pps = video.pps.prefix(255)
            box.append(1 as UInt8)
            box.append(contentsOf: [video.parsed.profileIDC, video.parsed.constraintFlags, video.parsed.levelIDC])
            box.append(0xFF as UInt8)
            box.append(0xE1 as UInt8)  // one SPS
            box.append(UInt16(clamping: video.sps.count))
            box.append(contentsOf: video.sps.prefix(0xFFFF))
            box.append(UInt8(pps.count))
            for unit in pps {
                box.append(UInt16(clamping: unit.count))
                box.append(contentsOf: unit.prefix(0xFFFF))
            }
            // High profiles say chroma format and bit depths as well; no SPS extensions.
            if [100, 110, 122, 144].contains(video.parsed.profileIDC) {
                box.append(0xFC | UInt8(truncatingIfNeeded: video.parsed.chromaFormat))
                box.append(0xF8 | UInt8(truncatingIfNeeded: video.parsed.lumaBitDepth - 8))
                box.append(0xF8 | UInt8(truncatingIfNeeded: video.parsed.chromaBitDepth - 8))
                box.append(0 as UInt8)
            }
        }
    }

    fileprivate mutating func appendAudioTrack(_ audio: FMP4Writer.Audio) {
        appendTrack(
            id: audioTrackID,
            size: nil,
            timescale: UInt32(clamping: audio.timescale),
            handler: "soun",
            mediaHeader: { $0.appendFullBox("smhd") { $0.appendZeros(4) } },
            sampleEntry: { stsd in
                switch audio {
                case .aac(let configuration, _):
                    stsd.appendBox("mp4a") { entry in
                        entry.appendAudioSampleEntry(
                            channels: configuration.channels,
                            sampleRate: configuration.sampleRate
                        )
                        entry.appendElementaryStreamDescriptor(configuration.bytes)
                    }
                case .opus(let channels):
                    stsd.appendBox("Opus") { entry in
                        entry.appendAudioSampleEntry(channels: channels, sampleRate: 48_000)
                        entry.appendBox("dOps") { box in
                            box.append(0 as UInt8)
                            box.append(UInt8(clamping: channels))
                            box.append(opusPreSkip)
                            box.append(UInt32(48_000))
                            box.append(UInt16(0))  // gain
                            box.append(0 as UInt8)  // mapping family: mono or stereo
                        }
                    }
                }
            }
        )
    }

    fileprivate mutating func appendSampleEntryStart() {
        appendZeros(6)
        append(UInt16(1))  // data reference
    }

    fileprivate mutating func appendAudioSampleEntry(channels: Int, sampleRate: Int) {
        appendSampleEntryStart()
        appendZeros(8)
        append(UInt16(clamping: channels))
        append(UInt16(16))
        appendZeros(4)
        // 16.16 fixed point; rates that do not fit are told by the decoder configuration alone.
        append(UInt32(sampleRate > 0 && sampleRate < 0x1_0000 ? sampleRate << 16 : 0))
    }

    /// `esds` with an ES, a decoder configuration and a sync layer descriptor (ISO/IEC 14496-1 §7.2.6).
    fileprivate mutating func appendElementaryStreamDescriptor(_ configuration: [UInt8]) {
        let specific = configuration.prefix(64)
        appendFullBox("esds") { box in
            let decoder = 13 + 2 + specific.count
            box.append(contentsOf: [0x03, UInt8(3 + 2 + decoder + 3)])
            box.append(UInt16(audioTrackID))
            box.append(0 as UInt8)
            box.append(contentsOf: [0x04, UInt8(decoder)])
            box.append(0x40 as UInt8)  // MPEG-4 audio
            box.append(0x15 as UInt8)  // audio stream
            box.appendZeros(11)  // buffer size, maximum and average bit rate unknown
            box.append(contentsOf: [0x05, UInt8(specific.count)])
            box.append(contentsOf: specific)
            box.append(contentsOf: [0x06, 0x01, 0x02])
        }
    }

    private mutating func appendTrack(
        id: UInt32,
        size: (width: UInt16, height: UInt16)?,
        timescale: UInt32,
        handler: StaticString,
        mediaHeader: (inout [UInt8]) -> Void,
        sampleEntry: (inout [UInt8]) -> Void
    ) {
        appendBox("trak") { trak in
            trak.appendFullBox("tkhd", flags: 7) { tkhd in  // enabled, in movie, in preview
                tkhd.appendZeros(8)
                tkhd.append(id)
                tkhd.appendZeros(18)
                tkhd.append(UInt16(size == nil ? 1 : 0))  // alternate group
                tkhd.append(UInt16(size == nil ? 0x0100 : 0))  // volume
                tkhd.appendZeros(2)
                tkhd.appendIdentityMatrix()
                tkhd.append(UInt32(size?.width ?? 0) << 16)
                tkhd.append(UInt32(size?.height ?? 0) << 16)
            }
            trak.appendBox("mdia") { mdia in
                mdia.appendFullBox("mdhd") { mdhd in
                    mdhd.appendZeros(8)
                    mdhd.append(timescale)
                    mdhd.append(UInt32(0))
                    mdhd.append(UInt16(0x55C4))  // language "und"
                    mdhd.append(UInt16(0))
                }
                mdia.appendFullBox("hdlr") { hdlr in
                    hdlr.append(UInt32(0))
                    handler.withUTF8Buffer { hdlr.append(contentsOf: $0) }
                    hdlr.appendZeros(13)  // reserved, and an empty name
                }
                mdia.appendBox("minf") { minf in
                    mediaHeader(&minf)
                    minf.appendBox("dinf") { dinf in
                        dinf.appendFullBox("dref") { dref in
                            dref.append(UInt32(1))
                            dref.appendFullBox("url ", flags: 1) { _ in }
                        }
                    }
                    minf.appendBox("stbl") { stbl in
                        stbl.appendFullBox("stsd") { stsd in
                            stsd.append(UInt32(1))
                            sampleEntry(&stsd)
                        }
                        stbl.appendFullBox("stts") { $0.append(UInt32(0)) }
                        stbl.appendFullBox("stsc") { $0.append(UInt32(0)) }
                        stbl.appendFullBox("stsz") { $0.appendZeros(8) }
                        stbl.appendFullBox("stco") { $0.append(UInt32(0)) }
                    }
                }
            }
        }
    }
}

/// Samples a decoder discards at the start: libopus' look-ahead of 6.5 ms, which our converter has as well.
private let opusPreSkip: UInt16 = 312
