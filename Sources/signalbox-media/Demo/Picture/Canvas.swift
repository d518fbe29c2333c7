import CFFmpeg

/// A YUV 4:2:0 picture that is drawn into in place and lent to the encoder.
///
/// The encoder copies what it needs before it returns, so the same planes are drawn into again for the next picture
/// and only what moved is touched. All coordinates are luma samples; drawing outside the picture is clipped.
/// Not thread-safe: it belongs to its camera's event loop.
final class Canvas {
    /// The picture as libavcodec wants it.
    let frame: UnsafeMutablePointer<AVFrame>
    let width: Int
    let height: Int

    /// - Throws: ``MediaError/outOfMemory`` when the planes cannot be had.
    init(width: Int, height: Int) throws(MediaError) {
        guard let frame = av_frame_alloc() else { throw .outOfMemory }
        self.frame = frame
        self.width = width
        self.height = height
        frame.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        frame.pointee.width = Int32(width)
        frame.pointee.height = Int32(height)
        guard av_frame_get_buffer(frame, 0) == 0 else { throw .outOfMemory }
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&pointer)
    }

    /// Fills a rectangle with one colour.
    func fill(x: Int, y: Int, width: Int, height: Int, _ colour: Colour) {
        fillLuma(x: x, y: y, width: width, height: height, colour.y)
        let (left, top, right, bottom) = (x >> 1, y >> 1, (x + width + 1) >> 1, (y + height + 1) >> 1)
        fillPlane(frame.pointee.data.1, frame.pointee.linesize.1, left, top, right, bottom, scale: 2, colour.u)
        fillPlane(frame.pointee.data.2, frame.pointee.linesize.2, left, top, right, bottom, scale: 2, colour.v)
    }

    /// Fills a rectangle's luma and leaves its chroma as it is.
    func fillLuma(x: Int, y: Int, width: Int, height: Int, _ luma: UInt8) {
        fillPlane(frame.pointee.data.0, frame.pointee.linesize.0, x, y, x + width, y + height, scale: 1, luma)
    }

    /// Draws one glyph of square dots in luma only; the chroma below it tints it.
    ///
    /// - Parameters:
    ///   - dot: Distance between dots; the dot itself is drawn with a gap where there is room for one.
    ///   - lit: Luma of a lit dot.
    ///   - dark: Luma of everything else in the glyph's cell.
    func draw(glyph character: UInt8, x: Int, y: Int, dot: Int, lit: UInt8, dark: UInt8) {
        fillLuma(x: x, y: y, width: BitmapFont.advance * dot, height: BitmapFont.rows * dot, dark)
        let gap = dot >= 8 ? 2 : (dot >= 5 ? 1 : 0)
        for (row, bits) in BitmapFont.glyph(character).enumerated() {
            for column in 0..<BitmapFont.columns where bits & (0x10 >> UInt8(column)) != 0 {
                fillLuma(x: x + column * dot, y: y + row * dot, width: dot - gap, height: dot - gap, lit)
            }
        }
    }

    /// Copies whole rows from a picture of the same size.
    ///
    /// - Parameter rows: Luma rows; clipped to even bounds inside the picture.
    func copyRows(_ rows: Range<Int>, from other: Canvas) {
        guard other.width == width, other.height == height else { return }
        let top = max(0, rows.lowerBound) & ~1
        let bottom = min(height, (rows.upperBound + 1) & ~1)
        guard top < bottom else { return }
        let (mine, theirs) = (frame.pointee, other.frame.pointee)
        av_image_copy_plane(
            mine.data.0?.advanced(by: top * Int(mine.linesize.0)),
            mine.linesize.0,
            theirs.data.0?.advanced(by: top * Int(theirs.linesize.0)),
            theirs.linesize.0,
            Int32(width),
            Int32(bottom - top)
        )
        let chromaOffset = top / 2
        let (chromaWidth, chromaRows) = (Int32((width + 1) / 2), Int32((bottom - top + 1) / 2))
        av_image_copy_plane(
            mine.data.1?.advanced(by: chromaOffset * Int(mine.linesize.1)),
            mine.linesize.1,
            theirs.data.1?.advanced(by: chromaOffset * Int(theirs.linesize.1)),
            theirs.linesize.1,
            chromaWidth,
            chromaRows
        )
        av_image_copy_plane(
            mine.data.2?.advanced(by: chromaOffset * Int(mine.linesize.2)),
            mine.linesize.2,
            theirs.data.2?.advanced(by: chromaOffset * Int(theirs.linesize.2)),
            theirs.linesize.2,
            chromaWidth,
            chromaRows
        )
    }

    private func fillPlane(
        _ plane: UnsafeMutablePointer<UInt8>?,
        _ stride: Int32,
        _ left: Int,
        _ top: Int,
        _ right: Int,
        _ bottom: Int,
        scale: Int,
        _ value: UInt8
    ) {
        guard let plane else { return }
        let (left, right) = (max(0, left), min(right, (width + scale - 1) / scale))
        let (top, bottom) = (max(0, top), min(bottom, (height + scale - 1) / scale))
        guard left < right, top < bottom else { return }
        for row in top..<bottom {
            plane.advanced(by: row * Int(stride) + left).update(repeating: value, count: right - left)
        }
    }
}
