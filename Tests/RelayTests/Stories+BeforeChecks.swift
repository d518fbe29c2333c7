import Testing
import Wire

@testable import Relay

/// Sessions that fail before a single check has come.
extension Story {
    static let beforeChecks = [
        Story(
            testDescription: "a page whose checks are blocked gives WebRTC up",
            rule: .udpBlocked,
            cause: .clientNetwork,
            text: "UDP 8189 blocked from the client",
            evidence: "the client named 1 address and 1 hidden behind a name"
        ) { world, viewer in
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            try world.run(.seconds(7))
            world.closePeer(viewer)
        },
        Story(
            testDescription: "a bare client never checks",
            rule: .neverChecked,
            cause: .clientNetwork,
            text: "offer answered, the client never checked",
            evidence: "0 checks received in 30.0 s",
            control: .whep
        ) { world, viewer in
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "a client names no address and does not check",
            rule: .noUsableCandidates,
            cause: .clientDevice,
            text: "the client sent no usable candidates and never checked",
            evidence: "the client named 0 addresses",
            control: .whep
        ) { world, viewer in
            _ = try world.offer(viewer: viewer)
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "the relay advertises a container's bridge only",
            rule: .noReachableCandidate,
            cause: .server,
            text: "no reachable candidate advertised: 172.17.0.2 only",
            evidence: "advertised: udp 172.17.0.2:8189",
            address: IPAddress(v4: 0xAC11_0002)
        ) { world, viewer in
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "a page's TURN credentials are too old",
            rule: .turnExpired,
            cause: .turn,
            text: "TURN credentials expired",
            evidence: "the page's TURN server answered 401"
        ) { world, viewer in
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            world.report(viewer: viewer) { ($0.serverError, $0.areCredentialsExpired) = (401, true) }
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "our TURN server turns a bare client away whose credentials ran out",
            rule: .turnExpired,
            cause: .turn,
            text: "TURN credentials expired",
            evidence: "our TURN server turned it away 33.0 s ago: its credentials had run out",
            control: .whep
        ) { world, viewer in
            world.credentialsExpire(viewer)
            try world.run(.seconds(3))
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "somebody at a bare client's address logs in to TURN with a user name that is not ours",
            rule: .turnUnauthorized,
            cause: .turn,
            text: "TURN credentials wrong: unknown user",
            evidence: "our TURN server turned somebody at 198.51.100.7 away 33.0 s ago: unknown user",
            control: .whep
        ) { world, viewer in
            world.turnRefuses(.address(IPAddress(v4: 0xC633_6407), relayed: nil), .unknownUser)
            try world.run(.seconds(3))
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "a page's own TURN server says that its good credentials are wrong",
            rule: .turnUnauthorized,
            cause: .turn,
            text: "TURN credentials wrong",
            evidence: "the page's TURN server answered 401"
        ) { world, viewer in
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            world.report(viewer: viewer) { ($0.serverError, $0.areCredentialsExpired) = (401, false) }
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "somebody at another address does not know the TURN password",
            rule: .neverChecked,
            cause: .clientNetwork,
            text: "offer answered, the client never checked",
            evidence: "0 checks received in 30.0 s",
            control: .whep
        ) { world, viewer in
            world.turnRefuses(.address(IPAddress(v4: 0xC633_6408), relayed: nil), .wrongPassword)
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "TURN refuses a page for another reason",
            rule: .turnFailed,
            cause: .turn,
            text: "TURN refused the client: 486",
            evidence: "the page's TURN server answered 486"
        ) { world, viewer in
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            world.report(viewer: viewer) { $0.serverError = 486 }
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "checks carry a password that is not ours",
            rule: .wrongPassword,
            cause: .clientDevice,
            text: "its checks do not know our password",
            evidence: "2 checks with a wrong password, 0 with the right one"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer, faults: .wrongPassword)
            client.check()
            client.check()
            try world.run(.seconds(31))
        },
        Story(
            testDescription: "a page is closed at once",
            rule: .clientLeft,
            cause: nil,
            text: "client left after 0.3 s, before its first check",
            evidence: "closed"
        ) { world, viewer in
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            try world.run(.milliseconds(300))
            world.leave(viewer)
        },
    ]
}
