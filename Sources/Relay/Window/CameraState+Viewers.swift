extension CameraState {
    /// What helps a viewer that got nothing because of this state; `nil` where trying again does.
    var remedyForViewers: String? {
        switch self {
        case .stopped: "Ask the relay's operator to start it."
        case .held: "Ask the relay's operator, to whom the console says what is wrong."
        case .idle, .connecting, .negotiating, .starting, .live, .stalled, .retrying: nil
        }
    }

    /// Seconds after which a viewer may try again.
    var retryAfterForViewers: Int {
        switch self {
        // Nothing changes until somebody does something.
        case .stopped, .held: 10
        case .idle, .connecting, .negotiating, .starting, .live, .stalled, .retrying: 2
        }
    }

    /// What viewers are told of this state, in one sentence; empty when the camera is simply live.
    ///
    /// It says no more than the state does: addresses, logins and the names and reasons of operators are for the
    /// console.
    public var sentenceForViewers: String {
        switch self {
        case .idle: "The camera is started as soon as somebody watches."
        case .stopped: "An operator has stopped this camera."
        case .connecting: "Connecting to the camera."
        case .negotiating: "Talking to the camera."
        case .starting: "Waiting for the camera's first picture."
        case .live: ""
        case .stalled: "The camera is connected but sends no picture."
        case .retrying: "The camera cannot be reached; it is tried again by itself."
        case .held: "The camera needs the operator's attention."
        }
    }
}
