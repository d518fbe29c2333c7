import ArgumentParser
import RTP

/// `signalbox-bench micro`: nanoseconds, instructions and allocations of single steps.
struct MicroCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "micro",
        abstract: "Measure the steps of a packet's life, and the machine's own ceiling; prints JSON."
    )

    @Option(help: "Only the rows whose name contains this.") var only = ""
    @Option(help: "How often everything is measured; the cheapest counts.") var batches = 60

    private static let steps: [(name: String, measure: @Sendable (Probe) throws -> Cost)] = [
        ("RTP header parsed", { PacketPath.parse($0) }),
        ("camera packet packetised, 1400 bytes", { PacketPath.packetise($0) }),
        ("SRTP protect, AEAD_AES_128_GCM, 1200 bytes", { try PacketPath.protect($0, .aeadAES128GCM, bytes: 1_200) }),
        ("SRTP protect, AEAD_AES_128_GCM, 160 bytes", { try PacketPath.protect($0, .aeadAES128GCM, bytes: 160) }),
        (
            "SRTP protect, AES128_CM_HMAC_SHA1_80, 1200 bytes",
            { try PacketPath.protect($0, .aes128CMHMACSHA1_80, bytes: 1_200) }
        ),
        ("forwarded to one viewer, GCM, up to 1200 bytes", { try PacketPath.forward($0) }),
        ("ceiling: AES-128-GCM alone, 1200 bytes", { try Ceiling.seal($0, bytes: 1_200) }),
        ("ceiling: sendmsg, one datagram", { try Ceiling.send($0, segments: 1) }),
        ("ceiling: sendmsg with GSO, 8 datagrams", { try Ceiling.send($0, segments: 8) }),
        ("ceiling: sendmsg with GSO, 32 datagrams", { try Ceiling.send($0, segments: 32) }),
    ]

    func run() throws {
        let probe = Probe(batches: batches)
        let rows = try Self.steps.filter { only.isEmpty || $0.name.contains(only) }
            .map { (name: $0.name, cost: try $0.measure(probe)) }
        let objects = rows.map { row in
            "\(String(reflecting: row.name)):{\"ns\":\(rounded(row.cost.nanoseconds)),"
                + "\"instructions\":\(row.cost.instructions.map { "\(rounded($0))" } ?? "null"),"
                + "\"allocations\":\(rounded(row.cost.allocations)),"
                + "\"operations\":\(Int(row.cost.operations))}"
        }
        tell("{\(objects.joined(separator: ","))}")
    }
}
