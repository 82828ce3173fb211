//! Paths of this portal, as pages link and redirect to them.

/// Escapes a text for a query string.
pub fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => escaped.push(char::from(byte)),
            _ => {
                escaped.push('%');
                for half in [byte >> 4, byte & 15] {
                    escaped.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
    escaped
}

/// The path if it is a local one and so safe to redirect to; else the start page.
pub fn local_path(path: &str) -> String {
    let is_local = path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_local { path.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_redirected_to() {
        for path in ["/", "/runs/1/report?x=1#y", "/wizard/1/load"] {
            assert_eq!(local_path(path), path);
        }
        for path in ["", "//evil.example", "/\\evil.example", "https://evil.example", "runs", "/a b", "/a\r\nSet-Cookie: x", "/ä"]
        {
            assert_eq!(local_path(path), "/", "{path}");
        }
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(query_escape("/runs?a=b c"), "/runs%3Fa%3Db%20c");
        assert_eq!(query_escape("ä"), "%C3%A4");
    }
}
