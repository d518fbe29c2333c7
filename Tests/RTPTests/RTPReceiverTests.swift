import RTP
import TestSupport
import Testing
import Wire

@Suite struct RTPReceiverTests {
    static func packet(_ sequence: Int, timestamp: UInt32 = 0, ssrc: UInt32 = 1, type: UInt8 = 96) -> [UInt8] {
        var camera = CameraStream(
            sequence: UInt16(truncatingIfNeeded: sequence),
            timestamp: timestamp,
            ssrc: ssrc,
            payloadType: type
        )
        return camera.packet([UInt8(truncatingIfNeeded: sequence)])
    }

    struct Run {
        var receiver: RTPReceiver
        var out: [ReceivedPacket] = []

        init(_ transport: RTPTransport) {
            receiver = RTPReceiver(payloadType: 96, transport: transport, clockRate: 90_000)
        }

        mutating func feed(_ sequences: [Int], at milliseconds: Int = 0) {
            for sequence in sequences { feed(packet(sequence), at: milliseconds) }
        }

        mutating func feed(_ packet: [UInt8], at milliseconds: Int = 0) {
            receiver.receive(packet[...], at: .zero + .milliseconds(milliseconds), into: &out)
        }

        var sequences: [Int] { out.map { Int($0.sequenceNumber) } }
        var gaps: [Int] { out.filter(\.followsGap).map { Int($0.sequenceNumber) } }
    }

    @Test func `reordered packets over UDP come out in order, over the wrap`() {
        var run = Run(.udp)
        run.feed([65_533, 65_535, 65_534, 1, 0, 2, 4, 3])
        #expect(run.sequences == [65_533, 65_534, 65_535, 0, 1, 2, 3, 4])
        #expect(run.gaps.isEmpty)
        #expect(run.receiver.counters.packetsLost == 0)
        #expect(run.receiver.counters.reordered == 3)
        #expect(run.receiver.nextDeadline == nil)
    }

    @Test func `a missing packet is given up after 100 ms`() {
        var run = Run(.udp)
        run.feed([1])
        run.feed([3, 4], at: 10)
        #expect(run.sequences == [1])
        #expect(run.receiver.nextDeadline == .zero + .milliseconds(110))
        run.receiver.handleTimeout(at: .zero + .milliseconds(109), into: &run.out)
        #expect(run.sequences == [1])
        run.receiver.handleTimeout(at: .zero + .milliseconds(110), into: &run.out)
        #expect(run.sequences == [1, 3, 4])
        #expect(run.gaps == [3])
        #expect(run.receiver.counters.packetsLost == 1)
        #expect(run.receiver.nextDeadline == nil)
        run.feed([2], at: 120)
        #expect(run.receiver.counters.late == 1)
        #expect(run.sequences == [1, 3, 4])
    }

    @Test func `more than 64 packets behind a gap push it out`() {
        var run = Run(.udp)
        run.feed([0])
        run.feed(Array(2...64))
        #expect(run.sequences == [0])
        run.feed([65])
        #expect(run.sequences == [0] + Array(2...65))
        #expect(run.gaps == [2])
    }

    @Test func `over TCP nothing waits`() {
        var run = Run(.tcp)
        run.feed([1, 2, 5, 6])
        #expect(run.sequences == [1, 2, 5, 6])
        #expect(run.gaps == [5])
        #expect(run.receiver.counters.packetsLost == 2)
    }

    @Test func `a large jump is a restart and no loss`() {
        for transport in [RTPTransport.udp, .tcp] {
            var run = Run(transport)
            run.feed([1, 2, 20_000, 20_001])
            #expect(run.sequences == [1, 2, 20_000, 20_001])
            #expect(run.gaps == [20_000])
            #expect(run.out[2].startsSource)
            #expect(run.receiver.counters.packetsLost == 0)
            #expect(run.receiver.counters.ssrcChanges == 1)
        }
    }

    @Test func `a row of 65 old packets is a restarted sender`() {
        var run = Run(.udp)
        run.feed([1_000])
        run.feed(Array(100..<170))
        #expect(run.sequences == [1_000] + Array(164..<170))
        #expect(run.out[1].startsSource)
    }

    @Test func `another source is taken at once and starts anew`() {
        var run = Run(.udp)
        run.feed([10, 12])
        run.feed(Self.packet(700, ssrc: 2))
        #expect(run.sequences == [10, 12, 700])
        #expect(run.gaps == [12, 700])
        #expect(run.out[2].startsSource && !run.out[1].startsSource)
        #expect(run.receiver.counters.ssrcChanges == 1)
        #expect(run.receiver.ssrc == 2)
    }

    @Test func `a wrong payload type is tolerated until the right one came`() {
        var run = Run(.tcp)
        run.feed(Self.packet(1, type: 97))
        run.feed(Self.packet(2, type: 72))
        run.feed(Self.packet(2, type: 97))
        run.feed(Self.packet(3))
        run.feed(Self.packet(4, type: 97))
        #expect(run.sequences == [1, 2, 3])
        #expect(run.receiver.counters.unexpectedPayloadType == 2)
    }

    @Test func `RFC 3550 §A.8: jitter of a steady and of an unsteady stream`() {
        var steady = Run(.tcp)
        var unsteady = Run(.tcp)
        for index in 0..<500 {
            steady.feed(Self.packet(index, timestamp: UInt32(index * 3_600)), at: index * 40)
            unsteady.feed(Self.packet(index, timestamp: UInt32(index * 3_600)), at: index * 40 + index % 2 * 10)
        }
        #expect(steady.receiver.counters.jitter < 1e-9)
        // Every transit differs from the one before by 10 ms.
        #expect(abs(unsteady.receiver.counters.jitter - 0.010) < 1e-4)
    }

    @Test func `the report has loss, highest sequence and the time since the sender report`() throws {
        var run = Run(.tcp)
        run.feed([65_534, 65_535, 0, 4])
        run.receiver.received(
            senderReport: .init(
                ssrc: 1,
                ntp: 0x0001_1122_3344_5566,
                timestamp: 0,
                packetCount: 0,
                byteCount: 0
            ),
            at: .zero
        )
        let bytes = run.receiver.makeReceiverReport(at: .zero + .milliseconds(1_500))
        let packets = try RTCPPacket.parse(bytes)
        guard case .receiverReport(let ssrc, let blocks) = packets[0], let block = blocks.first else {
            Issue.record("no report")
            return
        }
        #expect(ssrc == 1)
        #expect(block.extendedHighestSequence == 0x1_0004)
        #expect(block.cumulativeLost == 3)
        #expect(block.fractionLost == UInt8(3 * 256 / 7))
        #expect(block.lastSenderReport == 0x1122_3344)
        #expect(block.delaySinceLastSenderReport == 98_304)
        #expect(packets[1] == .sourceDescription([.init(ssrc: 1, cname: "signalbox")]))
        run.feed([5, 6])
        guard
            case .receiverReport(_, let later) = try RTCPPacket.parse(run.receiver.makeReceiverReport(at: .zero))[0]
        else {
            Issue.record("no receiver report")
            return
        }
        #expect(later.first?.fractionLost == 0)
        #expect(later.first?.cumulativeLost == 3)
    }

    @Test(arguments: UInt64(0)..<40) func `received packets come out once and in order`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var run = Run(.udp)
        var fed: Set<Int> = []
        var queue = Array(0..<1_000).filter { _ in Int.random(in: 0..<100, using: &random) > 3 }
        for index in queue.indices.dropLast(8) where Bool.random(using: &random) {
            queue.swapAt(index, index + Int.random(in: 0...7, using: &random))
        }
        let first = queue[0]
        queue.removeAll { $0 < first }
        for (index, sequence) in queue.enumerated() {
            run.feed([sequence], at: index)
            fed.insert(sequence)
            while let deadline = run.receiver.nextDeadline, deadline <= .zero + .milliseconds(index) {
                run.receiver.handleTimeout(at: .zero + .milliseconds(index), into: &run.out)
                if let next = run.receiver.nextDeadline { #expect(next > deadline) }
            }
        }
        run.receiver.handleTimeout(at: .zero + .seconds(60), into: &run.out)
        #expect(run.sequences == run.sequences.sorted())
        #expect(Set(run.sequences).isSubset(of: fed))
        #expect(run.sequences.count + Int(run.receiver.counters.late) == queue.count)
        #expect(Set(run.sequences).count == run.sequences.count)
        #expect(run.receiver.counters.packetsReceived == UInt64(queue.count))
    }

    @Test func `no input traps`() {
        var run = Run(.udp)
        sweep([Self.packet(1), Self.packet(40_000)], mutations: 20_000) { input in
            run.feed(input)
            run.out.removeAll()
        }
        run.receiver.handleTimeout(at: .zero + .seconds(9), into: &run.out)
        _ = run.receiver.makeReceiverReport(at: .zero)
    }
}
