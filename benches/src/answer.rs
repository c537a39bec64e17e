//! What an answer of SendMessage says.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An answer, read as the contract has it.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer<'a> {
    /// All messages are acknowledged.
    Ids(Vec<&'a str>),
    /// Certainly nothing is stored.
    Refused { code: String, message: String },
    /// Nobody knows what is stored.
    Unknown { code: String, message: String },
    /// Some of it is.
    Partly(Partly),
    /// Not an answer of the API.
    Unreadable(String),
}

/// `partly stored: {…}`.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Partly {
    /// MessageIds by index.
    pub(crate) stored: BTreeMap<String, String>,
    pub(crate) not_stored: Vec<u32>,
    pub(crate) unknown: Vec<u32>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Response", borrow)]
    response: Response<'a>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(rename = "MessageId", borrow)]
    ids: Option<Vec<&'a str>>,
    #[serde(rename = "Error")]
    error: Option<ErrorShape>,
    #[serde(rename = "RequestId")]
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct ErrorShape {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message")]
    message: String,
}

const PARTLY: &str = "partly stored: ";
const UNKNOWN: &str = "delivery unknown: ";

/// Reads the body of an answer with status 200.
pub(crate) fn read(body: &[u8]) -> Answer<'_> {
    let response = match serde_json::from_slice::<Envelope<'_>>(body) {
        Ok(envelope) => envelope.response,
        Err(error) => {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]);
            return Answer::Unreadable(format!("{error}: {shown}"));
        }
    };
    if response.request_id.is_none() {
        return Answer::Unreadable("an answer without RequestId".to_owned());
    }
    match (response.error, response.ids) {
        (Some(error), None) => read_error(error),
        (None, Some(ids)) => Answer::Ids(ids),
        _ => Answer::Unreadable("expected either MessageId or Error".to_owned()),
    }
}

fn read_error(error: ErrorShape) -> Answer<'static> {
    let ErrorShape { code, message } = error;
    if let Some(json) = message.strip_prefix(PARTLY) {
        return match serde_json::from_str(json) {
            Ok(partly) => Answer::Partly(partly),
            Err(error) => Answer::Unreadable(format!("{error}: {message}")),
        };
    }
    // An internal error proves nothing about what is stored.
    if message.starts_with(UNKNOWN) || code.starts_with("InternalError") {
        return Answer::Unknown { code, message };
    }
    Answer::Refused { code, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_kinds() {
        let ids = br#"{"Response":{"MessageId":["a","b"],"RequestId":"r"}}"#;
        assert_eq!(read(ids), Answer::Ids(vec!["a", "b"]));
        let error = |code: &str, message: &str| {
            let error = serde_json::json!({"Code": code, "Message": message});
            serde_json::json!({"Response": {"Error": error, "RequestId": "r"}}).to_string()
        };
        let body = error("AuthFailure.SignatureExpire", "too old");
        assert!(matches!(read(body.as_bytes()), Answer::Refused { .. }));
        let body = error("FailedOperation", "delivery unknown: deadline");
        assert!(matches!(read(body.as_bytes()), Answer::Unknown { .. }));
        let body = error("InternalError", "oh");
        assert!(matches!(read(body.as_bytes()), Answer::Unknown { .. }));
        let partly = r#"partly stored: {"stored":{"0":"id"},"not_stored":[1],"unknown":[2,3]}"#;
        let body = error("FailedOperation", partly);
        let Answer::Partly(partly) = read(body.as_bytes()) else {
            panic!("{body}");
        };
        assert_eq!(partly.stored["0"], "id");
        assert_eq!((partly.not_stored.len(), partly.unknown.len()), (1, 2));
    }

    #[test]
    fn what_is_not_the_apis_is_unreadable() {
        for body in [
            "",
            "OK",
            "{}",
            r#"{"Response":{"MessageId":["a"]}}"#,
            r#"{"Response":{"RequestId":"r"}}"#,
            r#"{"Response":{"MessageId":[1],"RequestId":"r"}}"#,
            r#"{"Response":{"Error":{"Code":"F","Message":"partly stored: x"},"RequestId":"r"}}"#,
        ] {
            assert!(
                matches!(read(body.as_bytes()), Answer::Unreadable(_)),
                "{body}"
            );
        }
    }
}
