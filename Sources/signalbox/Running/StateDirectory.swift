import DTLS
import Foundation
import Gateway
import Wire

/// Where the relay keeps its certificate, its control socket and its log.
struct StateDirectory: Sendable {
    let path: String

    /// `--state-dir`, or `$XDG_STATE_HOME/signalbox`, or `~/.local/state/signalbox`; for root without either,
    /// `/var/lib/signalbox`.
    static func location(option: String?) -> StateDirectory {
        let environment = ProcessInfo.processInfo.environment
        if let option { return StateDirectory(path: (option as NSString).standardizingPath) }
        if let base = environment["XDG_STATE_HOME"], base.hasPrefix("/") {
            return StateDirectory(path: base + "/signalbox")
        }
        if geteuid() != 0, let home = environment["HOME"], home.hasPrefix("/") {
            return StateDirectory(path: home + "/.local/state/signalbox")
        }
        return StateDirectory(path: "/var/lib/signalbox")
    }

    var controlSocket: String { path + "/control.sock" }
    var log: String { path + "/signalbox.log" }
    private var certificate: String { path + "/https-certificate.pem" }
    private var privateKey: String { path + "/https-key.pem" }

    /// Makes the directory (0750) and makes sure that it can be written to.
    func prepare() throws(StartFailure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750]
            )
        } catch {
            var entry = stat()
            let reason =
                stat(path, &entry) == 0 && entry.st_mode & S_IFMT != S_IFDIR
                ? "it is a file" : (error as NSError).localizedFailureReason ?? error.localizedDescription
            throw StartFailure(
                problem: "the state directory \(path) cannot be made: \(reason)",
                remedy: "Choose another with --state-dir, or make it writable for this user"
            )
        }
        guard access(path, W_OK | X_OK) == 0 else {
            throw StartFailure(
                problem: "the state directory \(path) is not writable",
                remedy: "Choose another with --state-dir, or make it writable for this user"
            )
        }
    }

    /// The HTTPS certificate and key; made on the first start and kept.
    func httpsIdentity(names: [String]) throws(StartFailure) -> GatewayConfiguration.TLSIdentity {
        let files = FileManager.default
        if let certificate = files.contents(atPath: certificate), let key = files.contents(atPath: privateKey) {
            let identity = GatewayConfiguration.TLSIdentity(
                certificateChain: Array(certificate),
                privateKey: Secret(String(decoding: key, as: UTF8.self)),
                isSelfSigned: true
            )
            // What a full disk or a loss of power left of them is made anew.
            if identity.isUsable { return identity }
        }
        let identity: SelfSignedCertificate.PEM
        do {
            identity = try SelfSignedCertificate.make(commonName: "signalbox", subjectAltNames: names, days: 3_650)
        } catch {
            throw StartFailure(
                problem: "no certificate could be made: \(error)",
                remedy: "Check the OpenSSL installation"
            )
        }
        // The key is written first and readable by its owner only.
        let isWritten =
            files.createFile(
                atPath: privateKey,
                contents: Data(identity.privateKeyPEM.reveal().utf8),
                attributes: [.posixPermissions: 0o600]
            )
            && files.createFile(
                atPath: certificate,
                contents: Data(identity.certificatePEM.utf8),
                attributes: [.posixPermissions: 0o644]
            )
        guard isWritten else {
            throw StartFailure(
                problem: "the certificate cannot be written to \(path)",
                remedy: "Free some space there, or choose another directory with --state-dir"
            )
        }
        return GatewayConfiguration.TLSIdentity(
            certificateChain: Array(identity.certificatePEM.utf8),
            privateKey: identity.privateKeyPEM,
            isSelfSigned: true
        )
    }
}
