//! The headers that a signature covers.

use std::borrow::Cow;

use super::authorization::invalid_authorization;
use super::headers::{Headers, RequestHead};
use super::host_forms::host_forms;
use crate::echo::clipped;
use crate::error_code::ApiError;

/// The signed headers' values, in the order of their names.
pub(super) struct SignedHeaderValues<'a> {
    values: Vec<(&'a str, &'a [u8])>,
    host: &'a [u8],
}

impl<'a> SignedHeaderValues<'a> {
    pub(super) fn collect<H: Headers + ?Sized>(
        head: &RequestHead<'a, H>,
        names: &'a str,
    ) -> Result<Self, ApiError> {
        let mut values = Vec::with_capacity(4);
        let mut host = None;
        let mut has_content_type = false;
        for name in names.split(';') {
            let value = head.headers.get(name).single().ok_or_else(|| {
                invalid_authorization(format!(
                    "SignedHeaders name {}, which the request does not have exactly once",
                    clipped(name)
                ))
            })?;
            match name {
                "host" => host = Some(value),
                "content-type" => has_content_type = true,
                _ => {}
            }
            values.push((name, value));
        }
        let Some(host) = host else {
            return Err(invalid_authorization("SignedHeaders must hold host"));
        };
        if head.method == "POST" && !has_content_type {
            return Err(invalid_authorization(
                "SignedHeaders must hold content-type on POST",
            ));
        }
        Ok(Self { values, host })
    }

    /// Whether `is_right` accepts any form of the values that a client may have signed: each form
    /// of the host, with the other values as sent and, where that differs, in lower case.
    pub(super) fn any_form(
        &self,
        is_right: impl Fn(&mut dyn Iterator<Item = (&'a str, Cow<'a, [u8]>)>) -> bool,
    ) -> bool {
        let others_have_capitals = self
            .values
            .iter()
            .any(|(name, value)| *name != "host" && value.iter().any(u8::is_ascii_uppercase));
        host_forms(self.host).any(|host| {
            let with = |lower: bool| {
                let mut values = self.values.iter().map(|&(name, value)| {
                    let value = match name {
                        "host" => host.clone(),
                        _ if lower => Cow::Owned(value.to_ascii_lowercase()),
                        _ => Cow::Borrowed(value),
                    };
                    (name, value)
                });
                is_right(&mut values)
            };
            with(false) || (others_have_capitals && with(true))
        })
    }
}
