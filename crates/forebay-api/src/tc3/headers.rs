//! A request's head as verification needs it, independent of any HTTP library.

/// The head of a request.
#[derive(Debug)]
pub struct RequestHead<'a, H: Headers + ?Sized> {
    /// `POST` or `GET`.
    pub method: &'a str,
    /// The raw bytes after `?` in the request target, neither decoded nor sorted; "" without `?`.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a H,
}

impl<H: Headers + ?Sized> Clone for RequestHead<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Headers + ?Sized> Copy for RequestHead<'_, H> {}

/// Access to a request's headers.
pub trait Headers {
    /// The value of the header with this name, which is always given in lower case. For `host`
    /// under HTTP/2 this is the `:authority`, exactly as it came.
    fn get(&self, lower_case_name: &str) -> HeaderValue<'_>;
}

/// What a request has under one header name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeaderValue<'h> {
    /// No such header.
    Absent,
    /// One header line; its value.
    One(&'h [u8]),
    /// Several header lines of that name.
    Repeated,
}

impl<'h> HeaderValue<'h> {
    /// The value of the only line, without the blanks around it.
    pub(crate) fn single(self) -> Option<&'h [u8]> {
        match self {
            Self::One(value) => Some(value.trim_ascii()),
            Self::Absent | Self::Repeated => None,
        }
    }
}

/// A list of names (any case) and values.
impl<K: AsRef<str>, V: AsRef<[u8]>> Headers for [(K, V)] {
    fn get(&self, lower_case_name: &str) -> HeaderValue<'_> {
        let mut found = self
            .iter()
            .filter(|(name, _)| name.as_ref().eq_ignore_ascii_case(lower_case_name));
        match (found.next(), found.next()) {
            (None, _) => HeaderValue::Absent,
            (Some((_, value)), None) => HeaderValue::One(value.as_ref()),
            (Some(_), Some(_)) => HeaderValue::Repeated,
        }
    }
}
