// Frames per second, from a count of frames.

/** What was cached comes faster than it was filmed: nothing is measured for this long after a start. Milliseconds. */
export const settling = 1500;
/** Shorter spans, as a page gets them that was asleep, tell nothing. Milliseconds. */
const shortest = 500;

export class FrameRate {
  constructor() {
    this.restart(0);
  }

  /** Another picture begins at `now`. */
  restart(now) {
    this.begunAt = now;
    this.before = null;
    this.value = undefined;
  }

  /** Takes the count of frames at `now` (milliseconds); returns frames per second, or undefined when not known. */
  take(now, frames) {
    if (frames === undefined || now - this.begunAt < settling) return this.value;
    const { before } = this;
    if (before && frames >= before.frames && now - before.at < shortest) return this.value;
    this.before = { at: now, frames };
    this.value = before && frames >= before.frames ? ((frames - before.frames) * 1000) / (now - before.at) : undefined;
    return this.value;
  }
}
