//! The Authorization header.

use std::borrow::Cow;

use crate::error_code::{ApiError, ErrorCode};
use crate::limits::{MAX_AUTHORIZATION_BYTES, MAX_SIGNED_HEADERS};

use super::signing_key::SigningKey;
use super::{ALGORITHM, HeaderValue, TERMINATOR};

/// A well-formed Authorization header.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Authorization<'a> {
    /// The whole Credential, `<SecretId>/<date>/<service>/tc3_request`.
    pub(super) credential: &'a str,
    pub(super) secret_id: &'a str,
    pub(super) date: &'a str,
    pub(super) service: &'a str,
    /// The SignedHeaders as listed: lower-case names joined with `;`, none twice.
    pub(super) signed_headers: &'a str,
    pub(super) signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    /// Everything after `<SecretId>/`, as the string to sign has it.
    pub(super) fn scope(&self) -> &'a str {
        &self.credential[self.secret_id.len() + 1..]
    }

    /// The key that `secret_key` gives for this date and service.
    pub(super) fn derive_key(&self, secret_key: &str) -> SigningKey {
        SigningKey::derive(secret_key, self.date, self.service)
    }

    pub(super) fn parse(header: HeaderValue<'a>) -> Result<Self, ApiError> {
        let value = match header {
            HeaderValue::One(value) => value.trim_ascii(),
            HeaderValue::Absent => {
                return Err(invalid_authorization("the Authorization header is missing"));
            }
            HeaderValue::Repeated => {
                return Err(invalid_authorization(
                    "the Authorization header is there more than once",
                ));
            }
        };
        if value.len() > MAX_AUTHORIZATION_BYTES {
            return Err(invalid_authorization(
                "the Authorization header is longer than 4096 bytes",
            ));
        }
        if value == b"SKIP" {
            return Err(invalid_authorization(
                "Authorization: SKIP, but requests must be signed",
            ));
        }
        let rest = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.strip_prefix(ALGORITHM))
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(|| {
                invalid_authorization("Authorization: expected TC3-HMAC-SHA256 and a blank")
            })?;
        Self::from_fields(rest)
    }

    fn from_fields(text: &'a str) -> Result<Self, ApiError> {
        let [mut credential, mut signed_headers, mut signature] = [None; 3];
        for field in text.split(',') {
            let field = field.trim_ascii();
            // By their beginnings: quicker than a search for the `=`.
            let (slot, value) = if let Some(value) = field.strip_prefix("Credential=") {
                (&mut credential, value)
            } else if let Some(value) = field.strip_prefix("SignedHeaders=") {
                (&mut signed_headers, value)
            } else if let Some(value) = field.strip_prefix("Signature=") {
                (&mut signature, value)
            } else {
                return Err(invalid_authorization(EXPECTED_FIELDS));
            };
            if slot.replace(value).is_some() {
                return Err(invalid_authorization(EXPECTED_FIELDS));
            }
        }
        let (Some(credential), Some(signed_headers), Some(signature)) =
            (credential, signed_headers, signature)
        else {
            return Err(invalid_authorization(EXPECTED_FIELDS));
        };
        let (secret_id, date, service) = split_credential(credential).ok_or_else(|| {
            invalid_authorization(
                "Authorization: expected Credential=<SecretId>/<date>/<service>/tc3_request",
            )
        })?;
        check_signed_headers(signed_headers)?;
        Ok(Self {
            credential,
            secret_id,
            date,
            service,
            signed_headers,
            signature: parse_signature(signature).ok_or_else(|| {
                invalid_authorization("Authorization: expected Signature=<64 of 0-9 and a-f>")
            })?,
        })
    }
}

const EXPECTED_FIELDS: &str =
    "Authorization: expected Credential=…, SignedHeaders=…, Signature=…, each once";

/// `AuthFailure.InvalidAuthorization` with this message.
pub(crate) fn invalid_authorization(message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(ErrorCode::AuthFailureInvalidAuthorization, message)
}

fn split_credential(credential: &str) -> Option<(&str, &str, &str)> {
    let mut parts = credential.split('/');
    let (secret_id, date, service) = (parts.next()?, parts.next()?, parts.next()?);
    let complete = parts.next() == Some(TERMINATOR) && parts.next().is_none();
    let filled = !secret_id.is_empty() && !date.is_empty() && !service.is_empty();
    (complete && filled).then_some((secret_id, date, service))
}

fn check_signed_headers(list: &str) -> Result<(), ApiError> {
    for (count, name) in list.split(';').enumerate() {
        let legal = !name.is_empty() && name.bytes().all(is_lower_case_token);
        if !legal {
            return Err(invalid_authorization(
                "Authorization: SignedHeaders are lower-case names joined with ';'",
            ));
        }
        if count >= MAX_SIGNED_HEADERS {
            return Err(invalid_authorization(
                "Authorization: more than 32 SignedHeaders",
            ));
        }
        if list.split(';').take(count).any(|earlier| earlier == name) {
            return Err(invalid_authorization(
                "Authorization: SignedHeaders name a header twice",
            ));
        }
    }
    Ok(())
}

/// RFC 9110's `tchar` without capitals.
fn is_lower_case_token(byte: u8) -> bool {
    // The usual ones first: every signed header's every byte comes through here.
    byte.is_ascii_lowercase()
        || byte == b'-'
        || byte.is_ascii_digit()
        || b"!#$%&'*+.^_`|~".contains(&byte)
}

fn parse_signature(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut signature = [0; 32];
    let mut all_are_digits = true;
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (hex_digit(pair[0]), hex_digit(pair[1]));
        all_are_digits &= high < 16 && low < 16;
        *byte = high << 4 | (low & 15);
    }
    all_are_digits.then_some(signature)
}

/// The value of a digit in lower case; 255 for anything else.
fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "4bcd84e514457c3db54b397bfc4e5ac581de4d4114a275fb11bc8b6d4f49368f";

    fn parse(text: &str) -> Result<Authorization<'_>, ApiError> {
        Authorization::parse(HeaderValue::One(text.as_bytes()))
    }

    fn header(credential: &str, signed: &str, signature: &str) -> String {
        format!(
            "TC3-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        )
    }

    #[test]
    fn well_formed() {
        let text = header(
            "AKID1/2026-11-23/localhost:18080/tc3_request",
            "content-type;host",
            SIGNATURE,
        );
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.secret_id, "AKID1");
        assert_eq!(parsed.date, "2026-11-23");
        assert_eq!(parsed.service, "localhost:18080");
        assert_eq!(parsed.scope(), "2026-11-23/localhost:18080/tc3_request");
        assert_eq!(parsed.signed_headers, "content-type;host");
        assert_eq!(hex::encode(parsed.signature), SIGNATURE);
        // Hand-written clients leave out the blank after the comma.
        assert_eq!(parse(&text.replace(", ", ",")).unwrap(), parsed);
    }

    #[test]
    fn malformed() {
        let good = "AKID1/2026-11-23/ckafka/tc3_request";
        let too_many: Vec<_> = (0..33).map(|n| format!("x{n}")).collect();
        for text in [
            String::new(),
            "SKIP".to_owned(),
            "Basic abc".to_owned(),
            "TC3-HMAC-SHA256".to_owned(),
            "TC3-HMAC-SHA256 ".to_owned(),
            "TC3-HMAC-SHA256X Credential=a".to_owned(),
            header("AKID1/2026-11-23/ckafka", "host", SIGNATURE),
            header("AKID1/2026-11-23/ckafka/tc3_request/x", "host", SIGNATURE),
            header("AKID1/2026-11-23/ckafka/tc2_request", "host", SIGNATURE),
            header("/2026-11-23/ckafka/tc3_request", "host", SIGNATURE),
            header("AKID1//ckafka/tc3_request", "host", SIGNATURE),
            header("AKID1/2026-11-23//tc3_request", "host", SIGNATURE),
            header(good, "", SIGNATURE),
            header(good, "host;", SIGNATURE),
            header(good, "Host", SIGNATURE),
            header(good, "host;content-type;host", SIGNATURE),
            header(good, &too_many.join(";"), SIGNATURE),
            header(good, "host", ""),
            header(good, "host", &SIGNATURE[1..]),
            header(good, "host", &SIGNATURE.to_uppercase()),
            header(good, "host", &format!("{}g", &SIGNATURE[1..])),
            header(good, "host", &format!("{SIGNATURE}, Signature={SIGNATURE}")),
            header(good, "host", &format!("{SIGNATURE}, X=y")),
            format!("TC3-HMAC-SHA256 Credential={good}, Signature={SIGNATURE}"),
            header(&"x".repeat(5000), "host", SIGNATURE),
        ] {
            let error = parse(&text).expect_err(&text);
            assert_eq!(
                error.code,
                ErrorCode::AuthFailureInvalidAuthorization,
                "{text}"
            );
        }
        for value in [HeaderValue::Absent, HeaderValue::Repeated] {
            assert!(Authorization::parse(value).is_err());
        }
        assert!(Authorization::parse(HeaderValue::One(b"\xff\xfe")).is_err());
    }
}
