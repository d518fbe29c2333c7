import HTTPTypes
import Hummingbird
import NIOCore
import Relay

/// WHEP: WebRTC with HTTP as its only signalling (draft-ietf-wish-whep).
struct WHEPRoutes: Sendable {
    let core: GatewayCore

    private static let sdp = "application/sdp"
    private static let fragment = "application/trickle-ice-sdpfrag"

    // MARK: /NAME/whep

    /// The endpoint: begins sessions.
    func endpoint(_ camera: String, _ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        switch request.method {
        case .options:
            // A preflight asks for the endpoint and the sessions that it makes, which the draft has one list for.
            let methods = AllowedMethods.endpoint + [.patch, .delete]
            var fields = core.headers.preflight(request.head, context.connection, allowed: methods)
            fields[.allow] = AllowedMethods.endpoint.map(\.rawValue).joined(separator: ", ")
            fields[.acceptPost] = Self.sdp
            // Who has no session yet has no name.
            addICEServers(for: core.strangers.next(at: context.connection.remote), to: &fields, request, context)
            return Response(status: .noContent, headers: fields)
        case .head:
            var fields = core.headers.shared(request.head, context.connection)
            fields[.contentType] = Self.sdp
            return Response(status: .ok, headers: fields)
        case .get:
            return Response(status: .noContent, headers: core.headers.shared(request.head, context.connection))
        case .post:
            return try await begin(camera, request, context)
        default:
            throw Refusal.method(allowed: AllowedMethods.endpoint)
        }
    }

    private func begin(_ camera: String, _ request: Request, _ context: GatewayRequestContext) async throws -> Response
    {
        if let refusal = core.policy.originRefusal(for: request.head) { throw refusal }
        let offer = try await body(of: request, type: Self.sdp)
        guard core.joins.allows(context.connection.remote) else {
            throw Refusal(.tooManyRequests, "Too many sessions from this address.", remedy: "Try again.", retryAfter: 5)
        }
        let join = JoinRequest(
            camera: camera,
            control: .whep,
            remote: context.connection.remote,
            userAgent: GatewayCore.userAgent(of: request.head)
        )
        let viewer: JoinedViewer
        do {
            viewer = try await core.service.join(join)
        } catch {
            throw Refusal(error)
        }
        let answer: String
        do {
            answer = try await core.service.offer(offer, viewer: viewer.id)
        } catch {
            await core.service.leave(viewer: viewer.id, reason: error.text)
            throw Refusal(error)
        }
        let ufrag = TrickleFragment.ufrag(in: offer)
        let tag = core.sessions.begin(viewer: viewer.id, camera: camera, ufrag: ufrag) {
            core.service.snapshot().map { Set($0.viewers.map(\.id)) }
        }
        var fields = core.headers.shared(request.head, context.connection)
        fields[.contentType] = Self.sdp
        fields[.cacheControl] = "no-store"
        fields[.location] = "/\(camera)/whep/\(viewer.id)"
        fields[.eTag] = tag
        fields[.acceptPatch] = Self.fragment
        addICEServers(for: viewer.id, to: &fields, request, context)
        return Response(status: .created, headers: fields, body: .init(byteBuffer: ByteBuffer(string: answer)))
    }

    // MARK: /NAME/whep/ID

    /// A session: takes candidates, ends.
    func session(
        _ camera: String,
        viewer: String,
        _ request: Request,
        _ context: GatewayRequestContext
    ) async throws -> Response {
        if request.method == .options {
            var fields = core.headers.preflight(
                request.head,
                context.connection,
                allowed: AllowedMethods.session
            )
            fields[.acceptPatch] = Self.fragment
            return Response(status: .noContent, headers: fields)
        }
        if let refusal = core.policy.originRefusal(for: request.head) { throw refusal }
        guard isViewerWord(viewer), let session = core.sessions[viewer], session.camera == camera else {
            throw Refusal(.notFound, "There is no such session.", remedy: "Begin one with POST /\(camera)/whep.")
        }
        switch request.method {
        case .delete:
            core.sessions.end(viewer: viewer)
            await core.service.leave(viewer: viewer, reason: "ended by the client")
            return Response(status: .ok, headers: core.headers.shared(request.head, context.connection))
        case .patch:
            return try await trickle(session, viewer: viewer, request, context)
        default:
            throw Refusal.method(allowed: AllowedMethods.session)
        }
    }

    /// Candidates, or an ICE restart: `If-Match` tells them apart. Any tag (`*`) goes for both, because one known
    /// server hands out no other.
    private func trickle(
        _ session: WHEPSessionTable.Session,
        viewer: String,
        _ request: Request,
        _ context: GatewayRequestContext
    ) async throws -> Response {
        // The session first: what it may not do costs its neighbours at the same address nothing.
        guard core.sessions.allowsChange(of: viewer, within: core.configuration.limits.changesPerSession),
            core.changes.allows(context.connection.remote)
        else {
            throw Refusal(
                .tooManyRequests,
                "Too many changes of sessions.",
                remedy: "Send the candidates of a moment together.",
                retryAfter: 1
            )
        }
        let text = try await body(of: request, type: Self.fragment)
        guard let match = request.headers[.ifMatch] else {
            throw Refusal(.preconditionRequired, "If-Match is missing.", remedy: "Send the session's ETag in If-Match.")
        }
        let isAny = match == "*" || match == "\"*\""
        guard isAny || match == session.tag else {
            throw Refusal(
                .preconditionFailed,
                "If-Match names another ICE session.",
                remedy: "Send the session's ETag."
            )
        }
        let fragment: TrickleFragment
        do throws(TrickleFragment.Malformed) {
            fragment = try TrickleFragment(parsing: text)
        } catch {
            throw Refusal(.badRequest, error.problem, remedy: "Send a fragment as RFC 8840 §9 has it.")
        }
        if let ufrag = fragment.ufrag, let known = session.ufrag, ufrag != known {
            if isAny { return try await restart(ufrag, fragment, viewer: viewer, request, context) }
            // Candidates from before a restart come too late and mean nothing.
        } else {
            for candidate in fragment.candidates { await core.service.candidate(candidate, viewer: viewer) }
        }
        return Response(status: .noContent, headers: core.headers.shared(request.head, context.connection))
    }

    private func restart(
        _ ufrag: String,
        _ fragment: TrickleFragment,
        viewer: String,
        _ request: Request,
        _ context: GatewayRequestContext
    ) async throws -> Response {
        guard let pwd = fragment.pwd else {
            throw Refusal(
                .unprocessableContent,
                "The fragment has a new ice-ufrag and no ice-pwd.",
                remedy: "Send both to restart ICE, or the session's ice-ufrag to add candidates."
            )
        }
        let answer: String
        do {
            answer = try await core.service.restartICE(ufrag: ufrag, pwd: pwd, viewer: viewer)
        } catch {
            throw Refusal(error)
        }
        for candidate in fragment.candidates { await core.service.candidate(candidate, viewer: viewer) }
        var fields = core.headers.shared(request.head, context.connection)
        fields[.contentType] = Self.fragment
        fields[.cacheControl] = "no-store"
        fields[.eTag] = core.sessions.restarted(viewer: viewer, ufrag: ufrag)
        return Response(status: .ok, headers: fields, body: .init(byteBuffer: ByteBuffer(string: answer)))
    }

    /// One `Link` per URL, as WHEP has it.
    private func addICEServers(
        for user: String,
        to fields: inout HTTPFields,
        _ request: Request,
        _ context: GatewayRequestContext
    ) {
        for server in core.iceServers(for: user, authority: request.head.authority, on: context.connection) {
            for url in server.urls {
                var link = "<\(url)>; rel=\"ice-server\""
                if let username = server.username, let credential = server.credential {
                    link += "; username=\"\(username)\"; credential=\"\(credential)\"; credential-type=\"password\""
                }
                fields.append(HTTPField(name: .link, value: link))
            }
        }
    }

    private func body(of request: Request, type: String) async throws -> String {
        guard request.headers[.contentEncoding] == nil else {
            throw Refusal(.unsupportedMediaType, "The body is encoded.", remedy: "Send it without Content-Encoding.")
        }
        let mediaType = (request.headers[.contentType] ?? "").utf8.prefix { $0 != UInt8(ascii: ";") }
        guard String(decoding: mediaType, as: UTF8.self).lowercased().trimmingSpaces == type else {
            throw Refusal(.unsupportedMediaType, "The body has another type.", remedy: "Send Content-Type: \(type).")
        }
        let limit = core.configuration.limits.bodyBytes
        let tooLarge = Refusal(.contentTooLarge, "The body is too large.", remedy: "Send at most \(limit) bytes.")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge }
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
        guard let text = String(validating: buffer.readableBytesView, as: UTF8.self) else {
            throw Refusal(.badRequest, "The body is not UTF-8.", remedy: "Send text.")
        }
        return text
    }
}

extension String {
    /// Without spaces and tabs at the end.
    fileprivate var trimmingSpaces: String {
        String(decoding: utf8.reversed().drop { $0 == 0x20 || $0 == 0x09 }.reversed(), as: UTF8.self)
    }
}
