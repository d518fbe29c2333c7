import NIOCore

/// Keeps what comes first on a connection until somebody has decided by its first byte who shall read it.
final class FirstByteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limit: TimeAmount
    private var kept: [ByteBuffer] = []
    private var promise: EventLoopPromise<UInt8>?
    private var context: ChannelHandlerContext?
    private var impatience: Scheduled<Void>?

    /// - Parameter limit: How long the client may wait with its first byte before the connection is closed.
    init(limit: TimeAmount) { self.limit = limit }

    /// The first byte, once it is there.
    func firstByte(on loop: any EventLoop) -> EventLoopFuture<UInt8> {
        let promise = loop.makePromise(of: UInt8.self)
        self.promise = promise
        return promise.futureResult
    }

    /// Hands on what was kept, to the handlers that were added meanwhile, and steps aside.
    func passOn() {
        guard let context else { return }
        for buffer in kept { context.fireChannelRead(wrapInboundOut(buffer)) }
        kept = []
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let channel = context.channel
        impatience = context.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        impatience?.cancel()
        self.context = nil
        decide(.failure(ChannelError.ioOnClosedChannel))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        kept.append(buffer)
        if let first = buffer.readableBytesView.first { decide(.success(first)) }
    }

    private func decide(_ result: Result<UInt8, any Error>) {
        guard let promise else { return }
        self.promise = nil
        impatience?.cancel()
        promise.completeWith(result)
    }
}
