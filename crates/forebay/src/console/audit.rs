//! The audit log: who signed in, and who changed what, from where, with which
//! result. Lines have the target `audit`; never a secret, never a message.

use std::net::SocketAddr;

use bytes::Bytes;
use forebay_api::Action;
use serde_json::Value;

/// Longest text taken over from a request.
const MAX_TEXT: usize = 256;

/// Somebody tried to sign in.
pub(super) fn signed_in(who: &str, from: Option<SocketAddr>, by: &str, result: &str) {
    let (who, from) = (clipped(who), address(from));
    tracing::info!(target: "audit", who, from, action = "SignIn", what = by, result);
}

/// Somebody signed out.
pub(super) fn signed_out(who: &str, from: Option<SocketAddr>) {
    let (who, from) = (clipped(who), address(from));
    tracing::info!(target: "audit", who, from, action = "SignOut", result = "ok");
}

/// Whether the action changes something that others see.
fn is_change(action: Action) -> bool {
    matches!(
        action,
        Action::CreateDatahubTask
            | Action::ModifyDatahubTask
            | Action::DeleteDatahubTask
            | Action::PauseDatahubTask
            | Action::ResumeDatahubTask
            | Action::RestartDatahubTask
            | Action::CreateDatahubTopic
            | Action::ModifyDatahubTopic
            | Action::DeleteDatahubTopic
    )
}

/// Somebody changed something, or tried to; reading and sending are no changes.
pub(super) fn acted(
    who: &str,
    from: Option<SocketAddr>,
    action: Action,
    body: &Bytes,
    result: &str,
) {
    if !is_change(action) {
        return;
    }
    let (who, from) = (clipped(who), address(from));
    let what = subject(body);
    tracing::info!(target: "audit", who, from, action = action.as_str(), what, result);
}

/// What a request is about: the ids and names in it.
fn subject(body: &Bytes) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return String::new();
    };
    let named = ["TaskId", "TaskName", "Name", "InstanceId", "TopicName"];
    let named = named.iter().filter_map(|name| {
        let text = fields.get(*name)?.as_str()?;
        Some(format!("{name}={}", clipped(text)))
    });
    named.collect::<Vec<_>>().join(" ")
}

fn clipped(text: &str) -> &str {
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= MAX_TEXT);
    end.map_or(text, |end| &text[..end])
}

fn address(from: Option<SocketAddr>) -> String {
    from.map_or_else(String::new, |from| from.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_what_was_changed_and_nothing_else() {
        let body = br#"{"TaskId":"task-a","Description":"secret","TaskName":"n"}"#;
        assert_eq!(
            subject(&Bytes::from_static(body)),
            "TaskId=task-a TaskName=n"
        );
        assert_eq!(subject(&Bytes::from_static(b"[")), "");
        let long = format!(r#"{{"TaskName":"{}"}}"#, "é".repeat(500));
        assert_eq!(
            subject(&long.into()).chars().count(),
            MAX_TEXT / 2 + "TaskName=".len()
        );
    }
}
