//! The head of an answer.

/// What of a head matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes up to and with the empty line.
    pub(crate) head_len: usize,
    pub(crate) body_len: usize,
    /// The connection ends with this answer.
    pub(crate) close: bool,
}

impl Head {
    /// Reads a head; `None` if more bytes are needed.
    ///
    /// # Errors
    /// What was expected: HTTP/1 with a Content-Length.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut headers);
        let head_len = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(format!("not an HTTP answer: {error}")),
        };
        let status = parsed.code.unwrap_or(0);
        // RFC 9112, 6.3: answers that never have a body.
        let mut body_len = (status == 204 || status == 304).then_some(0);
        let mut close = parsed.version == Some(0);
        for header in parsed.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                let text = std::str::from_utf8(header.value).unwrap_or("");
                let length = text.trim().parse::<usize>();
                body_len = Some(length.map_err(|_| format!("Content-Length {text:?}"))?);
            } else if header.name.eq_ignore_ascii_case("connection") {
                close |= header.value.eq_ignore_ascii_case(b"close");
            }
        }
        let body_len =
            body_len.ok_or("an answer without Content-Length, which is not understood here")?;
        Ok(Some(Self {
            status,
            head_len,
            body_len,
            close,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_in_pieces() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 12\r\nX: y\r\n\r\n{\"Response\"";
        for end in 0..45 {
            assert_eq!(Head::parse(&whole[..end]), Ok(None), "{end}");
        }
        let head = Head::parse(whole).unwrap().unwrap();
        assert_eq!(
            (head.status, head.head_len, head.body_len, head.close),
            (200, 45, 12, false)
        );
    }

    #[test]
    fn closing_and_empty_answers() {
        let parse = |text: &str| Head::parse(text.as_bytes()).unwrap().unwrap();
        assert!(parse("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n").close);
        assert_eq!(parse("HTTP/1.1 204 No Content\r\n\r\n").body_len, 0);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        ] {
            assert!(Head::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
