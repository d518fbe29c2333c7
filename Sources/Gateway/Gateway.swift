import Hummingbird
import HummingbirdHTTP2
import NIOWebSocket
import NIOSSL
