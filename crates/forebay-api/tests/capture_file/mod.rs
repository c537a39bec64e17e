//! Reads the recorded requests of the genuine SDKs.
//!
//! A file holds one or more of: a line `##### REQUEST n (connection c, body bytes L)`, the raw
//! head, an empty line, L raw body bytes, a line break, a line that begins with `##### END`.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};

/// What the recorded requests are signed with; the token only where a file's name says so.
pub(crate) const SECRET_ID: &str = "AKIDlabExample0001";
pub(crate) const SECRET_KEY: &str = "labSecretKey0001";
pub(crate) const TOKEN: &str = "stsTok1";

/// The files with signature v1 (HmacSHA1 and HmacSHA256); all others are TC3-HMAC-SHA256.
pub(crate) const V1_FILES: [&str; 14] = [
    "variants/go-get-sha1.txt",
    "variants/go-post-sha1.txt",
    "variants/go-post-sha256.txt",
    "variants/go-typed-get-sha1.txt",
    "variants/go-typed-post-sha256.txt",
    "variants/java-get-sha1.txt",
    "variants/java-post-sha1.txt",
    "variants/java-post-sha256.txt",
    "variants/node-get-sha1.txt",
    "variants/node-post-sha1.txt",
    "variants/node-post-sha256.txt",
    "variants/python-get-sha1.txt",
    "variants/python-post-sha1.txt",
    "variants/python-post-sha256.txt",
];

/// Keys and bodies of all recorded requests but a few.
pub(crate) fn messages_sent() -> [(Option<&'static str>, &'static str); 3] {
    [
        (Some("key-0"), "plain body"),
        (None, "json {\"a\": \"<b>&c\"}"),
        (Some("鍵"), "unicode 你好 + é ~*'()"),
    ]
}

pub(crate) struct Capture {
    pub(crate) file: String,
    pub(crate) method: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Capture {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str());
        values.next()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

/// Every capture file there is, as a path below `tests/captures`, sorted.
pub(crate) fn all_files() -> Vec<String> {
    let mut files = Vec::new();
    for folder in ["", "variants"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                let path = path.strip_prefix(root()).unwrap().to_owned();
                files.push(path.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    files.sort();
    files
}

/// All requests of one file.
pub(crate) fn read(file: &str) -> Vec<Capture> {
    let bytes = std::fs::read(root().join(file)).unwrap();
    let mut rest = &bytes[..];
    let mut captures = Vec::new();
    while !rest.is_empty() {
        captures.push(read_one(file, &mut rest));
    }
    captures
}

fn line<'b>(rest: &mut &'b [u8]) -> &'b str {
    let end = rest
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = &rest[(end + 1).min(rest.len())..];
    std::str::from_utf8(line).unwrap().trim_end_matches('\r')
}

fn read_one(file: &str, rest: &mut &[u8]) -> Capture {
    let marker = line(rest);
    assert!(marker.starts_with("##### REQUEST "), "{file}: {marker}");
    let (_, length) = marker.rsplit_once("body bytes ").unwrap();
    let length: usize = length.trim_end_matches(')').parse().unwrap();
    let request_line = line(rest);
    let mut parts = request_line.split(' ');
    let method = parts.next().unwrap().to_owned();
    let target = parts.next().unwrap();
    let query = target.strip_prefix("/?").unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let header = line(rest);
        let Some((name, value)) = header.split_once(':') else {
            assert_eq!(header, "", "{file}");
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let body = rest[..length].to_vec();
    *rest = &rest[length..];
    assert_eq!(line(rest), "", "{file}: line break after the body");
    assert!(line(rest).starts_with("##### END"), "{file}");
    Capture {
        file: file.to_owned(),
        method,
        query,
        headers,
        body,
    }
}
