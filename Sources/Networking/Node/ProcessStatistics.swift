import Glibc
import Wire

/// What the kernel knows of this process.
struct ProcessStatistics {
    /// Percent of one core since the last sample; `nil` in the first one.
    var cpu: Double?
    var residentBytes: Int64?
    var descriptors: Int?
    var descriptorLimit: Int?
    var threads: Int?

    private var lastCPU: (at: Instant, nanoseconds: Int64)?

    /// Reads everything anew.
    mutating func sample(at now: Instant) {
        let used = MonotonicClock.processNanoseconds()
        if let last = lastCPU, now > last.at {
            cpu = Double(used - last.nanoseconds) / Double((now - last.at).wholeNanoseconds) * 100
        }
        lastCPU = (now, used)
        // Fields of /proc/self/statm: size, resident, … in pages.
        residentBytes = Self.read("/proc/self/statm").flatMap { text in
            text.split(separator: " ").dropFirst().first.flatMap { Int64($0) }.map {
                $0 &* Int64(sysconf(Int32(_SC_PAGESIZE)))
            }
        }
        // The command's name may hold blanks and brackets, so fields are counted from the last bracket; threads is the
        // 18th.
        threads = Self.read("/proc/self/stat").flatMap { text in
            guard let bracket = text.lastIndex(of: ")") else { return nil }
            let fields = text[bracket...].split(separator: " ")
            return fields.count > 18 ? Int(fields[18]) : nil
        }
        descriptors = Self.countDescriptors()
        descriptorLimit = Self.limit()
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }

    private static func countDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Neither `.` and `..` nor the directory itself.
        return max(0, count - 3)
    }

    private static func limit() -> Int? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return Int(clamping: limit.rlim_cur)
    }
}
