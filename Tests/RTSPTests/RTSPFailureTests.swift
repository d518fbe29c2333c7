import RTSP
import Testing

@Suite struct RTSPFailureTests {
    private let failures: [RTSPFailure] = [
        .badCredentials(scheme: "Basic"), .authenticationRequired(realm: ""), .authenticationRequired(realm: "cam"),
        .unsupportedAuthentication(offered: "Negotiate"), .notFound(status: 404),
        .unsupportedTransport(asked: .tcp, reason: "x"), .unsupportedTransport(asked: .udp, reason: "x"),
        .noDatagrams(seconds: 3), .noUsableTransport(udp: "x"), .noLocalPorts, .noPlayableTracks(offered: []),
        .noPlayableTracks(offered: ["audio G726-32"]), .notRTSP("it speaks HTTP"), .redirectRefused("http://x"),
        .refused(status: 500, reason: "", phase: .play), .refused(status: 453, reason: "Not Enough", phase: .setup),
        .refused(status: 463, reason: "Key", phase: .setup), .timeout(.connect), .timeout(.describe),
        .stalled(seconds: 10, track: 0), .connectionClosedByCamera(.playing), .connectionClosedByCamera(.options),
        .malformed("x"),
    ]

    @Test func `every failure says in sentences what is wrong and what to do`() {
        for failure in failures {
            for text in [failure.problem, failure.remedy] {
                #expect(text.hasSuffix("."), "\(failure)")
                #expect(text.first?.isUppercase == true, "\(failure)")
                #expect(!text.contains(".."), "\(failure)")
            }
        }
    }

    @Test func `what may lock us out of a camera is never tried again at once`() {
        for failure in failures where failure.canRetryAtOnce {
            switch failure {
            case .badCredentials, .authenticationRequired, .refused(503, _, _): Issue.record("\(failure)")
            default: break
            }
        }
    }

    @Test func `the texts read well`() {
        #expect(
            RTSPFailure.refused(status: 453, reason: "Not Enough Bandwidth", phase: .setup).problem
                == "The camera refused SETUP with status 453 Not Enough Bandwidth."
        )
        #expect(
            RTSPFailure.noPlayableTracks(offered: ["video H265+", "audio G726-32"]).problem
                == "The camera offers nothing that can be shown: video H265+, audio G726-32."
        )
        #expect(
            RTSPFailure.connectionClosedByCamera(.describe).problem
                == "The camera closed the connection during DESCRIBE."
        )
    }
}
