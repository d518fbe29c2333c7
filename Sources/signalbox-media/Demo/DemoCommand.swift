import ArgumentParser
import Digests
import Wire

/// `--audio`: one kind of sound, or none, for all cameras.
enum AudioChoice: String, ExpressibleByArgument, CaseIterable {
    case none, aac, pcmu

    var format: AudioFormat? {
        switch self {
        case .none: nil
        case .aac: .aac
        case .pcmu: .pcmu
        }
    }
}

/// `--size`: width and height of the picture.
struct PictureSize: ExpressibleByArgument, CustomStringConvertible {
    var width: Int
    var height: Int
    var description: String { "\(width)x\(height)" }

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    init?(argument: String) {
        let parts = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let width = parts[0], let height = parts[1] else { return nil }
        self.init(width: width, height: height)
    }
}

/// `signalbox-media demo`: synthetic cameras that are served over real RTSP on the loopback interface.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve synthetic cameras over RTSP on 127.0.0.1.",
        discussion: """
            When all cameras can be reached, one line of JSON with their URLs goes to standard output. The process \
            ends when its standard input does. Until then it takes one command per line there:

              stall NAME    send no more media, still answer RTSP
              hang NAME     keep connections, send nothing at all
              resume NAME   end either
              stop NAME     go away: close the port and all connections
              start NAME    come back on the same port with new streams

            Each command is acknowledged by a line on standard error.
            """
    )

    @Option(help: "Number of cameras.") var cameras = 4
    @Option(help: "Port of the first camera; the others follow. 0 takes any free ports.") var basePort = 0
    @Option(help: "User name the cameras want.") var user = "demo"
    @Option(help: "Password the cameras want; a random one if none is given.") var password: String?
    @Option(help: "Seconds from one keyframe to the next, for all cameras.") var gop: Double?
    @Option(help: "Pictures per second.") var fps = 25
    @Option(help: "Picture size.") var size = PictureSize(width: 1280, height: 720)
    @Option(help: "Sound of all cameras (none, aac, pcmu); each has its own otherwise.") var audio: AudioChoice?
    @Option(help: "Successive B-frames.") var bframes = 0
    @Option(help: "Only the camera of this name.") var only: String?
    @Option(help: "Seconds after which a silent session on UDP is ended.") var sessionTimeout = 60
    @Flag(help: "Begin a new GOP whenever a client starts to play.") var keyframeOnPlay = false

    func validate() throws {
        try check((1...256).contains(cameras), "--cameras takes 1 to 256.")
        try check(
            basePort == 0 || (1...(65_536 - cameras)).contains(basePort),
            "--base-port must leave room below 65536."
        )
        try check((1...60).contains(fps), "--fps takes 1 to 60.")
        try check(gop.map { (0.04...600).contains($0) } ?? true, "--gop takes 0.04 to 600 seconds.")
        try check((0...4).contains(bframes), "--bframes takes 0 to 4.")
        try check((10...600).contains(sessionTimeout), "--session-timeout takes 10 to 600 seconds.")
        try check(
            (320...3840).contains(size.width) && (180...2160).contains(size.height)
                && size.width % 2 == 0 && size.height % 2 == 0,
            "--size takes even numbers from 320x180 to 3840x2160."
        )
        try check(
            !user.isEmpty && user.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x3A },
            "--user takes printable ASCII without blank, quote and colon."
        )
    }

    func run() throws {
        try DemoProcess(plans: try plans(), basePort: basePort, credentials: credentials(), options: options).run()
    }

    /// The cameras that were asked for; `--only` keeps the port that the camera has among all of them.
    private func plans() throws -> [(index: Int, plan: CameraPlan)] {
        var video = VideoSettings()
        (video.width, video.height, video.framesPerSecond, video.bFrames) = (size.width, size.height, fps, bframes)
        var all = CameraPlan.demo(count: only == nil ? cameras : 256, video: video)
        for index in all.indices {
            if let gop { all[index].video.gopSeconds = gop }
            if let audio { all[index].audio = audio.format }
        }
        let chosen = all.enumerated().filter { only == nil || $0.element.name == only }
        try check(
            !chosen.isEmpty,
            "There is no camera \(only ?? ""). The first four are "
                + all.prefix(4).map(\.name).joined(separator: ", ") + "."
        )
        return chosen.map { ($0.offset, $0.element) }
    }

    private func credentials() -> DemoCredentials {
        var random = SystemRandomNumberGenerator()
        return DemoCredentials(user: user, password: Secret(password ?? random.word(16)))
    }

    private var options: ServerOptions {
        ServerOptions(keyframeOnPlay: keyframeOnPlay, sessionTimeoutSeconds: sessionTimeout)
    }

    private func check(_ condition: Bool, _ message: String) throws {
        if !condition { throw ValidationError(message) }
    }
}
