import ICE

/// The body of WHEP's PATCH, and its candidates as the agent reads them.
enum Target: FuzzTarget {
    static func seeds() -> [[UInt8]] {
        let credentials = "a=ice-ufrag:x9Qf\r\na=ice-pwd:asd88fgpdd777uzjYhagZg4T\r\n"
        let section = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
        // As Chromium, Firefox and RFC 8840 §9 write them.
        return [
            credentials + "a=group:BUNDLE 0\r\na=ice-options:trickle\r\n" + section
                + "a=candidate:1 1 udp 2113937151 4f1ce2aa-1b2c-4d5e-8f90-112233445566.local 61002 typ host generation 0"
                + " ufrag x9Qf network-id 1\r\na=end-of-candidates\r\n",
            "a=ice-ufrag:4a799b2e\n" + section
                + "a=candidate:0 1 UDP 2122252543 2001:db8::9 50312 typ host\n"
                + "a=candidate:1 1 TCP 2105524479 192.0.2.9 9 typ host tcptype active\n"
                + "a=candidate:2 1 UDP 1686052863 198.51.100.7 50312 typ srflx raddr 192.0.2.9 rport 50312\n",
            credentials + section,
            "a=end-of-candidates",
        ].map { Array($0.utf8) }
    }

    static func run(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        let named = TrickleFragment.ufrag(in: text)
        let fragment: TrickleFragment
        do throws(TrickleFragment.Malformed) {
            fragment = try TrickleFragment(parsing: text)
        } catch {
            demand((1..<100).contains(error.problem.utf8.count), "a refusal is a short sentence")
            return
        }
        demand(named == fragment.ufrag, "a fragment and a description name a session alike")
        demand(fragment.ufrag.map(ICECredentials.isUfrag) ?? true, "the user name fragment is one")
        demand(fragment.pwd.map(ICECredentials.isPassword) ?? true, "the password is one")
        demand(fragment.candidates.count <= TrickleFragment.candidateLimit, "candidates are bounded")
        for candidate in fragment.candidates {
            demand(candidate.hasPrefix("candidate:") && !candidate.utf8.contains(10), "a candidate is one line")
            guard let read = try? Candidate(parsing: candidate) else { continue }
            demand(candidate.contains(read.foundation), "the agent reads what was written")
        }

        var lines = ["a=end-of-candidates"] + fragment.candidates.map { "a=\($0)" }
        if let ufrag = fragment.ufrag { lines.append("a=ice-ufrag:\(ufrag)") }
        if let pwd = fragment.pwd { lines.append("a=ice-pwd:\(pwd)") }
        let written = lines.map { $0 + "\r\n" }.joined()
        demand((try? TrickleFragment(parsing: written)) == fragment, "written again it says the same")
    }
}
