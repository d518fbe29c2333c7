import RTSP
import TestSupport
import Testing
import Wire

@Suite struct DigestAuthenticationTests {
    @Test func `RFC 2617 §3.5 gives its response`() {
        let calculation = DigestCalculation(
            .md5,
            user: "Mufasa",
            realm: "testrealm@host.com",
            password: Secret("Circle Of Life")
        )
        let response = calculation.response(
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            quality: .init(nonceCount: 1, clientNonce: "0a4f113b")
        )
        #expect(response == "6629fae49393a05397450978507c4ef1")
    }

    @Test(arguments: [
        (DigestAlgorithm.md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (.sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ])
    func `RFC 7616 §3.9.1 gives its responses`(algorithm: DigestAlgorithm, expected: String) {
        let calculation = DigestCalculation(
            algorithm,
            user: "Mufasa",
            realm: "http-auth@example.org",
            password: Secret("Circle of Life")
        )
        let response = calculation.response(
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            quality: .init(nonceCount: 1, clientNonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
        )
        #expect(response == expected)
    }

    @Test func `several challenges in one value are told apart in spite of commas in quotes`() {
        let challenges = AuthenticationChallenge.parse([
            "Digest realm=\"a, Basic realm=b\", nonce=\"n,1\", qop=\"auth,auth-int\", Basic realm=\"c\"",
            "Digest realm=\"d\",nonce=\"m\",algorithm=SHA-256,stale=\"TRUE\",opaque=\"o\"",
        ])
        guard challenges.count == 3, case .digest(let first) = challenges[0], case .digest(let third) = challenges[2]
        else {
            Issue.record("\(challenges)")
            return
        }
        #expect(first.realm == "a, Basic realm=b")
        #expect(first.nonce == "n,1")
        #expect(first.algorithm == .md5)
        #expect(!first.namesAlgorithm && first.offersAuth && !first.isStale && first.opaque == nil)
        #expect(challenges[1] == .basic(realm: "c"))
        #expect(third.algorithm == .sha256)
        #expect(third.namesAlgorithm && !third.offersAuth && third.isStale && third.opaque == "o")
    }

    @Test(arguments: [
        "Digest realm=\"x\"", "Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\"",
        "Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512", "Negotiate", "", "realm=\"x\"", ",,,",
    ])
    func `a challenge that cannot be answered is left out`(value: String) {
        #expect(AuthenticationChallenge.parse([value]).isEmpty)
    }

    @Test func `a realm never brings quotes or control characters of its own`() {
        for value in ["Basic realm=\"a\u{1}b\"", "Basic realm=a\"b", "Basic realm=ab\\", "Basic realm=\"ab\\"] {
            guard case .basic(let realm) = AuthenticationChallenge.parse([value]).first else { continue }
            #expect(realm == "ab")
        }
        #expect(AuthenticationChallenge.parse(["Basic realm=\"a\\\"b\""]) == [.basic(realm: "a\\\"b")])
    }

    @Test func `no input makes the challenge parser trap`() {
        sweep([Array("Digest realm=\"a, b\", nonce=\"n\\\"\", qop=\"auth\", algorithm=MD5, Basic realm=c".utf8)]) {
            for challenge in AuthenticationChallenge.parse([String(decoding: $0, as: UTF8.self)]) {
                guard case .digest(let digest) = challenge else { continue }
                for text in [digest.realm, digest.nonce, digest.opaque ?? ""] {
                    #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
                    #expect(!text.hasSuffix("\\") || text.hasSuffix("\\\\"))
                }
            }
        }
    }
}

@Suite struct DigestVerifierTests {
    private let uri = "rtsp://cam/x"

    private func verifier(_ algorithm: DigestAlgorithm = .sha256, offersAuth: Bool = true) -> DigestVerifier {
        DigestVerifier(
            algorithm,
            realm: "cam",
            user: "relay",
            password: Secret("word"),
            nonce: "n1",
            offersAuth: offersAuth
        )
    }

    private func answer(
        user: String = "relay",
        password: String = "word",
        nonce: String = "n1",
        count: UInt32 = 1,
        uri: String = "rtsp://cam/x"
    ) -> String {
        let calculation = DigestCalculation(.sha256, user: user, realm: "cam", password: Secret(password))
        let quality = DigestCalculation.Quality(nonceCount: count, clientNonce: "c")
        let response = calculation.response(method: "PLAY", uri: uri, nonce: nonce, quality: quality)
        return
            "Digest username=\"\(user)\", realm=\"cam\", nonce=\"\(nonce)\", uri=\"\(uri)\", response=\"\(response)\", "
            + "algorithm=SHA-256, qop=auth, nc=0000000\(count), cnonce=\"c\""
    }

    @Test func `the right answer is accepted once`() {
        var verifier = verifier()
        #expect(verifier.verify(authorization: answer(), method: .play, uri: uri) == .accepted)
        #expect(verifier.verify(authorization: answer(), method: .play, uri: uri) == .stale)
        #expect(verifier.verify(authorization: answer(count: 2), method: .play, uri: uri) == .accepted)
    }

    @Test func `everything else is not`() {
        var verifier = verifier()
        #expect(verifier.verify(authorization: nil, method: .play, uri: uri) == .missing)
        #expect(verifier.verify(authorization: "Basic x", method: .play, uri: uri) == .missing)
        #expect(verifier.verify(authorization: "Digest", method: .play, uri: uri) == .missing)
        #expect(verifier.verify(authorization: answer(password: "x"), method: .play, uri: uri) == .rejected)
        #expect(verifier.verify(authorization: answer(user: "x"), method: .play, uri: uri) == .rejected)
        #expect(verifier.verify(authorization: answer(), method: .setup, uri: uri) == .rejected)
        #expect(verifier.verify(authorization: answer(uri: "rtsp://cam/y"), method: .play, uri: uri) == .rejected)
        #expect(verifier.verify(authorization: answer(nonce: "n0"), method: .play, uri: uri) == .stale)
        var short = self.verifier(offersAuth: false)
        #expect(short.verify(authorization: answer(), method: .play, uri: uri) == .rejected)
    }

    @Test func `no input makes the verifier trap or accept`() {
        let good = answer()
        sweep([Array(good.utf8)]) { bytes in
            var verifier = verifier()
            let text = String(decoding: bytes, as: UTF8.self)
            let verdict = verifier.verify(authorization: text, method: .play, uri: uri)
            // Only blanks, letter case and parameters that do not count may differ.
            if verdict == .accepted { #expect(text.contains("response=")) }
        }
    }
}
