import Foundation
import Gateway
import NIOPosix
import Relay
import TestSupport
import Testing
import Wire

struct ListenerTests {
    private func start(_ configuration: GatewayConfiguration) async throws(GatewayError) -> Gateway {
        try await Gateway.start(
            configuration: configuration,
            service: FakeViewerService(),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton
        )
    }

    @Test func `a port in use is named with what to do about it`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let error = await #expect(throws: GatewayError.self) {
                try await start(GatewayConfiguration(http: .init(host: "127.0.0.1", port: box.port)))
            }
            #expect(error?.kind == .portInUse)
            #expect(error?.problem == "listen.http: another program listens on 127.0.0.1:\(box.port).")
            #expect(error?.remedy == "Stop it (\"ss -ltnp\" shows it), or set listen.http to another port.")
        }
    }

    @Test func `an address that is not ours and a certificate that is none are errors`() async throws {
        let address = await #expect(throws: GatewayError.self) {
            try await start(GatewayConfiguration(http: .init(host: "192.0.2.1", port: 0)))
        }
        #expect(address?.kind == .noSuchAddress)
        let nonsense = GatewayConfiguration.TLSIdentity(
            certificateChain: Array("no".utf8),
            privateKey: Secret("no"),
            isSelfSigned: true
        )
        let certificate = await #expect(throws: GatewayError.self) {
            try await start(GatewayConfiguration(http: nil, https: .init(host: "127.0.0.1", port: 0), tls: nonsense))
        }
        #expect(certificate?.kind == .certificate)
        let missing = await #expect(throws: GatewayError.self) {
            try await start(GatewayConfiguration(http: nil, https: .init(host: "127.0.0.1", port: 0)))
        }
        #expect(missing?.kind == .certificate)
    }

    @Test(.enabled(if: Programs.areExpected("openssl"), "needs openssl to make a certificate"))
    func `TLS speaks HTTP 1.1 and 2, media included, and remembers the viewer across streams`() async throws {
        let identity = try await TestCertificate.make()
        try await GatewayHarness.run {
            $0.https = .init(host: "127.0.0.1", port: 0)
            $0.tls = identity
        } _: { (box) async throws in
            box.service.serve("a.m4s", Array(repeating: 1, count: 200_000))
            let origin = "https://127.0.0.1:\(box.securePort)"
            for version in ["--http1.1", "--http2"] {
                let page = try await box.curl("/gate", version, secure: true)
                #expect(page.status == 200)
                #expect(page.raw.hasPrefix(version == "--http2" ? "HTTP/2" : "HTTP/1.1"))
                #expect(
                    page.headers["content-security-policy"]?.contains("connect-src 'self' wss://127.0.0.1:") == true
                )
                #expect(page.headers["strict-transport-security"] == nil)
                let part = try await box.curl(
                    "/gate/media.m3u8?viewer=abc",
                    "\(origin)/gate/a.m4s",
                    version,
                    secure: true
                )
                #expect(part.body.utf8.count > 200_000)
                #expect(box.service.requests.last?.viewer == "abc")
                #expect(box.service.requests.last?.scheme == "https")
                let begun = try await box.curl(
                    "/gate/whep",
                    "--data-binary",
                    "v=0",
                    "-H",
                    "Content-Type: application/sdp",
                    version,
                    secure: true
                )
                #expect(begun.status == 201)
                #expect(try await box.curl("/gate", version, "-H", "Host: evil.example", secure: true).status == 421)
                #expect(try await box.curl("/gate", version, "-I", secure: true).status == 200)
                #expect(try await box.curl("/gate/media.m3u8", version, "-I", secure: true).status == 200)
            }
            #expect(try await execute("curl", ["-sS", "-k", "--tls-max", "1.1", "-m", "5", "\(origin)/"]).isEmpty)
        }
    }

    @Test(.enabled(if: Programs.areExpected("openssl"), "needs openssl to make a certificate"))
    func `a certificate is replaced without closing anything, and only a bought one brings HSTS`() async throws {
        var bought = try await TestCertificate.make()
        bought.isSelfSigned = false
        let first = bought
        try await GatewayHarness.run {
            $0.https = .init(host: "127.0.0.1", port: 0)
            $0.tls = first
        } _: { (box) async throws in
            let subject = {
                try await execute(
                    "curl",
                    ["-sS", "-k", "-v", "--stderr", "-", "https://127.0.0.1:\(box.securePort)/healthz"]
                )
            }
            #expect(try await subject().contains("strict-transport-security: max-age=31536000"))
            try await box.gateway.replaceCertificate(try await TestCertificate.make())
            #expect(try await box.curl("/healthz", secure: true).status == 200)
        }
    }

    @Test func `connections are counted and all gone after shutdown`() async throws {
        try await GatewayHarness.run { (box) async throws in
            async let held = box.exchange("GET /gate/held.m4s HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await box.service.hold()
            #expect(box.gateway.connectionCount == 1)
            await box.gateway.shutdown()
            #expect(box.gateway.connectionCount == 0)
            let reply = try await held
            #expect(reply.raw.isEmpty)
        }
    }
}
