import HTTPTypes

/// Which methods which address takes: one table, so that every address refuses the others the same way.
struct AllowedMethods: Sendable {
    let catalog: CameraCatalog

    /// WHEP's endpoint (draft-ietf-wish-whep).
    static let endpoint: [HTTPRequest.Method] = [.options, .get, .head, .post]
    /// A WHEP session.
    static let session: [HTTPRequest.Method] = [.options, .patch, .delete]
    /// Playlists and media.
    static let media: [HTTPRequest.Method] = [.options, .get, .head]
    private static let document: [HTTPRequest.Method] = [.get, .head]
    private static let documents = ["/", "/healthz", "/api/v1/cameras", "/api/v1/snapshot"]

    /// The methods that the address takes; `nil` when there is nothing at it.
    ///
    /// - Throws: ``Refusal`` while the relay does not know its cameras yet.
    func methods(at path: String) throws(Refusal) -> [HTTPRequest.Method]? {
        let place = path.utf8.prefix { $0 != UInt8(ascii: "?") }
        if path.utf8.starts(with: "/-/".utf8) || Self.documents.contains(where: { place.elementsEqual($0.utf8) }) {
            return Self.document
        }
        guard let match = try catalog.match(path) else { return nil }
        if match.rest.isEmpty || match.rest == "ws" { return Self.document }
        if match.rest == "whep" { return Self.endpoint }
        return match.rest.hasPrefix("whep/") ? Self.session : nil
    }
}
