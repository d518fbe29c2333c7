import CBench
import CMedia
import COpenSSL

/// What this machine can do at best: the same work with nothing of ours around it.
enum Ceiling {
    /// AES-128-GCM over a packet's payload, by OpenSSL alone, key set once and IV per packet.
    static func seal(_ probe: Probe, bytes count: Int) throws -> Cost {
        guard let context = EVP_CIPHER_CTX_new() else { throw BenchError("OpenSSL gives no cipher context") }
        defer { EVP_CIPHER_CTX_free(context) }
        let key = [UInt8](repeating: 7, count: 16)
        EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, key, nil)
        let header = [UInt8](repeating: 1, count: 12)
        return probe.measure {
            (packet: [UInt8](repeating: 3, count: count + 16), iv: [UInt8](repeating: 0, count: 12))
        } _: { state in
            var written: Int32 = 0
            let operations = 2_000
            state.packet.withUnsafeMutableBufferPointer { packet in
                guard let start = packet.baseAddress else { return }
                for number in 0..<operations {
                    state.iv[0] = UInt8(truncatingIfNeeded: number)
                    EVP_EncryptInit_ex(context, nil, nil, nil, state.iv)
                    EVP_EncryptUpdate(context, nil, &written, header, 12)
                    EVP_EncryptUpdate(context, start, &written, start, Int32(count))
                    EVP_EncryptFinal_ex(context, start + count, &written)
                    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, start + count)
                }
            }
            return operations
        }
    }

    /// Sends to a socket on loopback, `segments` datagrams of 1228 bytes with each call.
    static func send(_ probe: Probe, segments: Int) throws -> Cost {
        var sink = cbench_address(ip: 0x7F00_0001, port: 0)
        let receiver = try BenchError.check(cbench_udp_open(&sink, 8 << 20), "opening a UDP socket")
        var source = cbench_address(ip: 0x7F00_0001, port: 0)
        let sender = try BenchError.check(cbench_udp_open(&source, 1 << 16), "opening a UDP socket")
        defer {
            cbench_close(receiver)
            cbench_close(sender)
        }
        var to = cmedia_address()
        (to.family, to.port) = (4, sink.port)
        (to.ip.0, to.ip.1, to.ip.2, to.ip.3) = (127, 0, 0, 1)
        var from = cmedia_address()
        let length = 1_228
        let bytes = [UInt8](repeating: 5, count: length * segments)
        var datagrams = [cbench_datagram](repeating: cbench_datagram(), count: Int(CBENCH_BATCH_LIMIT))
        var buffer = [UInt8](repeating: 0, count: Int(CBENCH_BATCH_LIMIT) * 2_048)
        // What arrives is taken away between the batches, at nobody's expense.
        return probe.measure {
            while cbench_receive(receiver, &buffer, 2_048, &datagrams, UInt32(CBENCH_BATCH_LIMIT)) > 0 {}
        } _: { _ in
            let calls = 512 / segments
            for _ in 0..<calls {
                cmedia_send_segments(sender, 4, bytes, bytes.count, UInt16(length), &to, &from)
            }
            return calls * segments
        }
    }
}
