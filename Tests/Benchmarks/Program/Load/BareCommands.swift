import ArgumentParser
import CBench
import CMedia
import COpenSSL
import Glibc

/// `signalbox-bench sink`: viewers' sockets without viewers.
struct SinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink",
        abstract: "Open UDP sockets and throw away what arrives; prints their ports as JSON, ends with its input."
    )

    @Option(help: "How many sockets.") var viewers = 100

    func run() throws {
        cbench_raise_file_limit()
        let poller = try Poller()
        var hasEnded = false
        var ports: [UInt16] = []
        var datagrams = [cbench_datagram](repeating: cbench_datagram(), count: Int(CBENCH_BATCH_LIMIT))
        var buffer = [UInt8](repeating: 0, count: Int(CBENCH_BATCH_LIMIT) * LoadClient.stride)
        for _ in 0..<viewers {
            var local = cbench_address(ip: 0x7F00_0001, port: 0)
            let socket = try BenchError.check(cbench_udp_open(&local, 1 << 20), "opening a UDP socket")
            ports.append(local.port)
            poller.watch(socket, CBENCH_READABLE) { _ in
                let limit = UInt32(CBENCH_BATCH_LIMIT)
                while cbench_receive(socket, &buffer, LoadClient.stride, &datagrams, limit) == limit {}
            }
        }
        poller.watch(STDIN_FILENO, CBENCH_READABLE) { _ in hasEnded = true }
        tell("{\"ports\":[\(ports.map { String($0) }.joined(separator: ","))]}")
        while !hasEnded { poller.run(forAtMost: 10) }
    }
}

/// `signalbox-bench bare`: what encrypting and sending alone cost, with the rhythm and the receivers of the fan-out.
struct BareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bare",
        abstract: "Send pictures of 2 Mbit/s to ports: AES-128-GCM and one segmented send a viewer, nothing else."
    )

    @Option(help: "Seconds.") var seconds = 10
    @Argument(help: "Ports of 127.0.0.1.") var ports: [UInt16]

    /// What a packet of ours has around its payload and in it.
    private static let header = 20
    private static let payload = 1_140
    private static let packet = header + payload + 16

    func run() throws {
        var source = cbench_address(ip: 0x7F00_0001, port: 0)
        let sender = try BenchError.check(cbench_udp_open(&source, 1 << 16), "opening a UDP socket")
        let contexts = try ports.map { _ in
            guard let context = EVP_CIPHER_CTX_new() else { throw BenchError("OpenSSL gives no cipher context") }
            EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, [UInt8](repeating: 7, count: 16), nil)
            return context
        }
        let unit = [UInt8](repeating: 3, count: SyntheticStream.keyframeBytes)
        var output = [UInt8](repeating: 0, count: 64 * Self.packet)
        var sent = 0
        let began = Clock.monotonic()
        let cpu = Clock.process()
        for frame in 0..<seconds * SyntheticStream.framesPerSecond {
            let isKeyframe = frame % SyntheticStream.gop == 0
            let count = isKeyframe ? SyntheticStream.keyframeBytes : SyntheticStream.interFrameBytes
            for (context, port) in zip(contexts, ports) {
                let length = Self.seal(unit, count, frame, context, into: &output)
                var to = cmedia_address()
                (to.family, to.port) = (4, port)
                (to.ip.0, to.ip.1, to.ip.2, to.ip.3) = (127, 0, 0, 1)
                var from = cmedia_address()
                try BenchError.check(
                    cmedia_send_segments(sender, 4, output, length, UInt16(Self.packet), &to, &from),
                    "sending"
                )
                sent += length
            }
            let next = began + Int64(frame + 1) * 1_000_000_000 / Int64(SyntheticStream.framesPerSecond)
            usleep(UInt32(clamping: max(0, next - Clock.monotonic()) / 1_000))
        }
        let used = Double(Clock.process() - cpu) / 1e9
        tell("{\"cpu_s_per_gb\":\(rounded(used / (Double(sent) / 1e9))),\"bytes\":\(sent)}")
    }

    /// Writes a picture's packets one after the other; the last is shorter.
    private static func seal(
        _ unit: [UInt8],
        _ count: Int,
        _ frame: Int,
        _ context: OpaquePointer,
        into output: inout [UInt8]
    ) -> Int {
        output.withUnsafeMutableBufferPointer { output in
            guard let start = output.baseAddress else { return 0 }
            var position = 0
            var length = 0
            var iv = [UInt8](repeating: 0, count: 12)
            var written: Int32 = 0
            while position < count {
                let part = min(payload, count - position)
                let packet = start + length
                unit.withUnsafeBufferPointer { unit in
                    if let bytes = unit.baseAddress { (packet + header).update(from: bytes + position, count: part) }
                }
                iv[0] = UInt8(truncatingIfNeeded: frame)
                iv[1] = UInt8(truncatingIfNeeded: position / payload)
                EVP_EncryptInit_ex(context, nil, nil, nil, iv)
                EVP_EncryptUpdate(context, nil, &written, packet, Int32(header))
                EVP_EncryptUpdate(context, packet + header, &written, packet + header, Int32(part))
                EVP_EncryptFinal_ex(context, packet + header + part, &written)
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, packet + header + part)
                position += part
                length += header + part + 16
            }
            return length
        }
    }
}
