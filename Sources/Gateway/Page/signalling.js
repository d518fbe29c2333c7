// The WebSocket to the relay. It comes back by itself, under the same identity; media does not depend on it.

const pauses = [300, 1000, 2000, 4000, 8000];

export class Signalling {
  /**
   * @param url of the WebSocket.
   * @param begun the first connection, on which hello has been or will be said (begin.js), and what was heard on it.
   * @param hello returns the first message.
   * @param events message(object), opened(), closed(attempts).
   */
  constructor(url, begun, hello, events) {
    this.url = url;
    this.begun = begun;
    this.hello = hello;
    this.events = events;
    this.attempts = 0;
    this.isEnded = false;
    /** The relay wants no visit before this. */
    this.restsUntil = 0;
    this.socket = null;
    this.beat = null;
    this.timer = null;
  }

  open() {
    if (this.isEnded || this.socket) return;
    clearTimeout(this.timer);
    const { begun } = this;
    if (begun) {
      this.begun = null;
      this.use(begun.socket);
      for (const data of begun.heard) this.received(data);
      if (begun.socket.readyState === WebSocket.CLOSED) this.closed(begun.socket);
      return;
    }
    const socket = new WebSocket(this.url);
    socket.onopen = () => {
      this.send(this.hello());
      this.events.opened();
    };
    this.use(socket);
  }

  use(socket) {
    this.socket = socket;
    this.heardAt = performance.now();
    this.beat = setInterval(() => this.check(), 10000);
    socket.onmessage = ({ data }) => this.received(data);
    socket.onclose = () => this.closed(socket);
  }

  received(data) {
    this.heardAt = performance.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message.type === "welcome") this.attempts = 0;
    this.events.message(message);
  }

  closed(socket) {
    if (this.socket !== socket) return;
    this.socket = null;
    clearInterval(this.beat);
    this.attempts += 1;
    this.events.closed(this.attempts);
    const pause = pauses[Math.min(this.attempts - 1, pauses.length - 1)];
    clearTimeout(this.timer);
    if (!this.isEnded) this.timer = setTimeout(() => this.open(), Math.max(pause, this.restsUntil - performance.now()));
  }

  /** The relay is closing the connection and is to be left alone for a while. */
  rest(milliseconds) {
    this.restsUntil = performance.now() + milliseconds;
  }

  /** Tries at once when there is reason to believe that it works now. */
  hurry() {
    if (!this.socket && !this.begun && performance.now() >= this.restsUntil) this.open();
  }

  check() {
    if (performance.now() - this.heardAt > 25000) {
      this.socket?.close();
    } else {
      this.send({ type: "ping" });
    }
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  send(message) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Ends it for good. */
  end(reason) {
    if (reason) this.send({ type: "bye", reason });
    this.isEnded = true;
    clearTimeout(this.timer);
    clearInterval(this.beat);
    this.socket?.close();
    this.socket = null;
  }

  /** Begins again after an end. */
  revive() {
    this.isEnded = false;
    this.attempts = 0;
    this.open();
  }
}
