//! The forms of a Host header that a client may have signed.

use std::borrow::Cow;

/// The header verbatim (Python, Java, Go), without its port (Node), and both in lower case
/// (clients written after the vendor's text), each once.
pub(crate) fn host_forms(host: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let portless = without_port(host);
    let has_capitals = host.iter().any(u8::is_ascii_uppercase);
    let as_sent = [Some(host), portless];
    let lowered = if has_capitals { as_sent } else { [None, None] };
    as_sent.into_iter().flatten().map(Cow::Borrowed).chain(
        lowered
            .into_iter()
            .flatten()
            .map(|form| Cow::Owned(form.to_ascii_lowercase())),
    )
}

/// `host:port` and `[v6]:port` without `:port`; `None` where there is no port.
pub(crate) fn without_port(host: &[u8]) -> Option<&[u8]> {
    let colon = host.iter().rposition(|&byte| byte == b':')?;
    let (name, port) = (&host[..colon], &host[colon + 1..]);
    let is_port = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
    // A colon inside the name is an IPv6 address without its brackets, whose last group is no port.
    let is_name = name.ends_with(b"]") || !name.contains(&b':');
    (is_port && is_name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (host, expected) in [
            ("127.0.0.1:18080", &["127.0.0.1:18080", "127.0.0.1"][..]),
            ("localhost", &["localhost"]),
            (
                "LocalHost:80",
                &["LocalHost:80", "LocalHost", "localhost:80", "localhost"],
            ),
            ("[::1]:8080", &["[::1]:8080", "[::1]"]),
            ("[::1]", &["[::1]"]),
            ("::1", &["::1"]),
            ("host:", &["host:"]),
            ("http://127.0.0.1:18091", &["http://127.0.0.1:18091"]),
            ("", &[""]),
        ] {
            let forms: Vec<_> = host_forms(host.as_bytes())
                .map(|form| String::from_utf8(form.into_owned()).unwrap())
                .collect();
            assert_eq!(forms, expected, "{host}");
        }
    }
}
