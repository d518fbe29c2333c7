/// A camera's text as it may appear in messages: one line of printable characters, at most `limit` of them.
func printable(_ text: String, limit: Int = 120) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(limit) {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
            result += "·"
        default:
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}
