// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours compiles under the same rules.
let ours: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func core(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: ours)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name), "TestSupport"] + dependencies,
        resources: resources,
        swiftSettings: ours
    )
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
]

let package = Package(
    name: "signalbox",
    products: [
        .executable(name: "signalbox", targets: ["signalbox"]),
        .executable(name: "signalbox-media", targets: ["signalbox-media"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    ],
    targets: [
        // Programs.
        .executableTarget(
            name: "signalbox",
            dependencies: [
                "Terminal", "Console", "Gateway", "Networking", "Relay", "DTLS", "Media", "RTSP", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ] + nio,
            exclude: ["Manual"],
            swiftSettings: ours
        ),
        .executableTarget(
            name: "signalbox-media",
            dependencies: [
                "CFFmpeg", "CWorker", "Digests", "Media", "RTSP", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio,
            swiftSettings: ours
        ),

        // Shells: the only code that touches the operating system.
        core("Terminal", ["CNcurses", "Console", "Relay", "Wire"]),
        .target(
            name: "Gateway",
            dependencies: [
                "Relay", "ICE", "Digests", "Media", "Wire",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ] + nio,
            resources: [.copy("Page")],
            swiftSettings: ours
        ),
        .target(
            name: "Networking",
            dependencies: [
                "CMedia", "CWorker", "Relay", "DTLS", "ICE", "RTSP", "TURN", "WebRTC", "Wire",
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ] + nio,
            swiftSettings: ours
        ),

        // Pure: no I/O, no clock.
        core("Console", ["Relay", "Media", "Wire"]),
        core("Relay", ["WebRTC", "ICE", "DTLS", "HLS", "RTSP", "RTP", "Media", "Digests", "Wire"]),

        // Protocol cores, sans I/O.
        core("WebRTC", ["ICE", "DTLS", "SDP", "RTP", "Media", "Digests", "Wire"]),
        core("HLS", ["Media", "Wire"]),
        core("RTSP", ["SDP", "Media", "Digests", "Wire"]),
        core("TURN", ["ICE", "Digests", "Wire"]),
        core("ICE", ["Digests", "Wire"]),
        core("DTLS", ["RTP", "COpenSSL", "Wire"]),
        core("RTP", ["COpenSSL", "Media", "Wire"]),
        core("SDP", ["Wire"]),
        core("Media", ["Wire"]),

        // The ground floor.
        core("Digests", ["COpenSSL"]),
        core("Wire", []),

        // C: system calls that Swift cannot express, and module maps of libraries.
        .target(name: "CMedia", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "CWorker", cSettings: [.define("_GNU_SOURCE")]),
        .systemLibrary(name: "CNcurses"),
        .systemLibrary(name: "COpenSSL"),
        .systemLibrary(name: "CFFmpeg"),

        // Tests.
        .target(
            name: "TestSupport",
            dependencies: ["Wire"],
            path: "Tests/TestSupport",
            swiftSettings: ours
        ),
        tests("Wire"),
        tests("Digests", ["Wire"]),
        tests(
            "Relay",
            ["WebRTC", "ICE", "DTLS", "SDP", "RTP", "RTSP", "HLS", "Media", "Digests", "COpenSSL", "Wire"]
        ),
        .testTarget(name: "ArchitectureTests", swiftSettings: ours),
        .testTarget(
            name: "SignalboxTests",
            dependencies: [
                "signalbox", "TestSupport", "Gateway", "Networking", "Relay", "RTSP", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: ours
        ),
        tests("Media"),
        tests("SDP"),
        tests("RTP", ["Media", "COpenSSL"]),
        tests("RTSP", ["SDP", "Media", "Digests", "Wire"]),
        tests("ICE", ["Digests", "Wire"]),
        tests("TURN", ["ICE", "Digests", "Wire"]),
        tests("DTLS", ["RTP", "COpenSSL", "Wire"]),
        tests("WebRTC", ["ICE", "DTLS", "SDP", "RTP", "Media", "COpenSSL", "Wire"]),
        tests("HLS", ["Media", "Wire"]),
        tests(
            "Networking",
            [
                "CMedia", "DTLS", "ICE", "Relay", "RTSP", "Media", "Wire",
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
                + nio
        ),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "Gateway", "TestSupport", "Relay", "Digests", "Media", "Wire",
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Logging", package: "swift-log"),
            ] + nio,
            exclude: ["js"],
            swiftSettings: ours
        ),
        .testTarget(
            name: "ConsoleTests",
            dependencies: ["Console", "TestSupport", "Relay", "Media", "Wire"],
            exclude: ["Screens"],
            swiftSettings: ours
        ),
        tests("Terminal", ["Console", "Relay", "Media", "Wire"]),
        .target(name: "CBench", path: "Tests/Benchmarks/CBench", cSettings: [.define("_GNU_SOURCE")]),
        .executableTarget(
            name: "signalbox-bench",
            dependencies: [
                "CBench", "CMedia", "COpenSSL", "WebRTC", "ICE", "DTLS", "SDP", "RTP", "Media", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Benchmarks/Program",
            swiftSettings: ours
        ),
        .testTarget(
            name: "MediaProcessTests",
            dependencies: ["signalbox-media", "CWorker", "Media", "TestSupport"],
            swiftSettings: ours
        ),
    ]
)
