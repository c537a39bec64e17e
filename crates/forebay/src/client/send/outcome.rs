//! What became of each message of one request.

use serde_json::Value;

use crate::client::error::CallError;

/// Where the messages of a request are now; indexes are the request's, and
/// each is in exactly one of the lists.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Acknowledged, with their MessageIds.
    pub(super) stored: Vec<(usize, String)>,
    /// Certainly not stored.
    pub(super) not_stored: Vec<usize>,
    /// Stored or not: nobody can tell.
    pub(super) unknown: Vec<usize>,
    /// Why some are not acknowledged.
    pub(super) error: Option<CallError>,
    /// Whether sending the not stored ones again may help.
    pub(super) may_resend: bool,
}

/// Reads the answer to a SendMessage with `count` messages. Where it does not
/// say clearly what became of a message, that is unknown.
pub(super) fn outcome(
    answer: Result<Value, CallError>,
    count: usize,
    not_the_api: impl Fn(String) -> CallError,
) -> Outcome {
    match answer {
        Ok(response) => match message_ids(&response, count) {
            Some(ids) => Outcome {
                stored: ids.into_iter().enumerate().collect(),
                ..Outcome::default()
            },
            None => all_unknown(count, not_the_api(format!("no list of {count} MessageIds"))),
        },
        Err(error) => failure(error, count),
    }
}

fn message_ids(response: &Value, count: usize) -> Option<Vec<String>> {
    let list = response["MessageId"].as_array()?;
    let ids: Option<Vec<String>> = list
        .iter()
        .map(|id| Some(id.as_str()?.to_owned()))
        .collect();
    ids.filter(|ids| ids.len() == count)
}

fn failure(error: CallError, count: usize) -> Outcome {
    let (code, message) = match &error {
        CallError::Refused { code, message, .. } => (code.as_str(), message.as_str()),
        CallError::NotConnected { .. } | CallError::NotTrusted { .. } => {
            return none_stored(count, error, false);
        }
        CallError::NoAnswer { .. } | CallError::NotTheApi { .. } => {
            return all_unknown(count, error);
        }
    };
    if let Some(json) = message.strip_prefix("partly stored: ") {
        let json = serde_json::from_str(json).unwrap_or_default();
        return partly(&json, count, error);
    }
    if code.starts_with("RequestLimitExceeded") || message.starts_with("not stored: ") {
        return none_stored(count, error, true);
    }
    let suspended = message.starts_with("task status suspended");
    // These say that something went wrong on the way, and not how far it got;
    // all others are refusals.
    let may_be_stored = ["FailedOperation", "InternalError", "ResourceUnavailable"]
        .iter()
        .any(|family| code.split('.').next() == Some(*family));
    if may_be_stored && !suspended {
        return all_unknown(count, error);
    }
    none_stored(count, error, false)
}

fn partly(json: &Value, count: usize, error: CallError) -> Outcome {
    let listed = |name: &str, index: usize| {
        let list = json[name].as_array();
        list.is_some_and(|list| list.iter().any(|one| one.as_u64() == Some(index as u64)))
    };
    let mut outcome = Outcome {
        error: Some(error),
        may_resend: true,
        ..Outcome::default()
    };
    for index in 0..count {
        let id = json["stored"][index.to_string()].as_str();
        match (id, listed("not_stored", index), listed("unknown", index)) {
            (Some(id), false, false) => outcome.stored.push((index, id.to_owned())),
            (None, true, false) => outcome.not_stored.push(index),
            _ => outcome.unknown.push(index),
        }
    }
    outcome
}

fn none_stored(count: usize, error: CallError, may_resend: bool) -> Outcome {
    Outcome {
        not_stored: (0..count).collect(),
        error: Some(error),
        may_resend,
        ..Outcome::default()
    }
}

fn all_unknown(count: usize, error: CallError) -> Outcome {
    Outcome {
        unknown: (0..count).collect(),
        error: Some(error),
        ..Outcome::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::endpoint::Endpoint;
    use serde_json::json;

    fn not_the_api(reason: String) -> CallError {
        let endpoint = Endpoint::parse("localhost:1").unwrap();
        CallError::NotTheApi { endpoint, reason }
    }

    fn refused(code: &str, message: &str) -> Outcome {
        let error = CallError::Refused {
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: String::new(),
        };
        outcome(Err(error), 3, not_the_api)
    }

    #[test]
    fn ids_count_only_if_there_is_one_for_each_message() {
        let good = outcome(Ok(json!({"MessageId": ["a", "b", "c"]})), 3, not_the_api);
        assert_eq!(good.stored[2], (2, "c".to_owned()));
        assert!(good.error.is_none());
        for answer in [
            json!({"MessageId": ["a", "b"]}),
            json!({"MessageId": ["a", "b", 3]}),
            json!({}),
        ] {
            let short = outcome(Ok(answer), 3, not_the_api);
            assert_eq!(short.unknown, [0, 1, 2]);
            assert!(short.stored.is_empty() && short.error.is_some());
        }
    }

    #[test]
    fn only_what_is_certainly_not_stored_counts_as_such() {
        for (code, message, not_stored, may_resend) in [
            ("RequestLimitExceeded", "over the limit", true, true),
            (
                "ResourceUnavailable.KafkaStorageError",
                "not stored: no leader",
                true,
                true,
            ),
            (
                "ResourceUnavailable.KafkaStorageError",
                "storage",
                false,
                false,
            ),
            (
                "FailedOperation",
                "delivery unknown: no answer",
                false,
                false,
            ),
            ("FailedOperation", "task status suspended [d]", true, false),
            ("InternalError", "oops", false, false),
            ("AuthFailure.SignatureFailure", "wrong", true, false),
            ("ResourceNotFound", "no such access point", true, false),
        ] {
            let outcome = refused(code, message);
            let expected = if not_stored { 3 } else { 0 };
            assert_eq!(outcome.not_stored.len(), expected, "{code} {message}");
            assert_eq!(outcome.unknown.len(), 3 - expected, "{code} {message}");
            assert_eq!(outcome.may_resend, may_resend, "{code} {message}");
        }
    }

    #[test]
    fn a_partly_stored_request_is_taken_apart() {
        let told = r#"partly stored: {"stored":{"1":"id"},"not_stored":[2],"unknown":[0]}"#;
        let outcome = refused("FailedOperation", told);
        assert_eq!(outcome.stored, [(1, "id".to_owned())]);
        assert_eq!((outcome.not_stored, outcome.unknown), (vec![2], vec![0]));
        for garbled in [
            "partly stored: {",
            r#"partly stored: {"stored":{"0":"id","1":"id","2":"id"},"not_stored":[0,1,2]}"#,
        ] {
            assert_eq!(refused("FailedOperation", garbled).unknown, [0, 1, 2]);
        }
    }
}
