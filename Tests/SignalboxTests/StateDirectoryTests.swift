import Foundation
import Gateway
import Testing

@testable import signalbox

/// What the relay keeps, and what it does when that is damaged.
struct StateDirectoryTests {
    @Test func `the certificate is kept over a restart`() throws {
        let folder = try TemporaryFolder()
        let state = StateDirectory(path: folder.path)
        let first = try state.httpsIdentity(names: ["localhost"])
        #expect(first.isUsable)
        #expect(try state.httpsIdentity(names: ["localhost"]).certificateChain == first.certificateChain)
    }

    @Test(arguments: ["", "-----BEGIN PRIVATE KEY-----\n"])
    func `a pair that a full disk left behind is made anew`(rest: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(rest, to: "https-key.pem")
        try folder.write(rest, to: "https-certificate.pem")
        #expect(try StateDirectory(path: folder.path).httpsIdentity(names: ["localhost"]).isUsable)
    }

    @Test func `a certificate and a key that do not belong together are made anew`() throws {
        let folder = try TemporaryFolder()
        let other = try TemporaryFolder()
        let state = StateDirectory(path: folder.path)
        let first = try state.httpsIdentity(names: ["localhost"])
        let stranger = try StateDirectory(path: other.path).httpsIdentity(names: ["localhost"])
        try folder.write(Data(stranger.certificateChain), to: "https-certificate.pem")
        let mended = try state.httpsIdentity(names: ["localhost"])
        #expect(mended.isUsable)
        #expect(mended.certificateChain != first.certificateChain)
    }

    @Test func `a file in the way is called a file`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("x", to: "state")
        let failure = #expect(throws: StartFailure.self) { try StateDirectory(path: file).prepare() }
        #expect(failure?.problem == "the state directory \(file) cannot be made: it is a file")
    }
}
