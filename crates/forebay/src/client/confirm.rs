//! Asking before something is deleted.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::error::ClientError;

/// # Errors
/// Where nobody can be asked.
pub(super) fn check_somebody_is_there() -> Result<(), ClientError> {
    match std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        true => Ok(()),
        false => Err(ClientError::Usage(
            "nobody can be asked whether to delete: say --yes".to_owned(),
        )),
    }
}

/// Asks a person, who is to answer y.
///
/// # Errors
/// Any other answer.
pub(super) fn confirm(question: &str) -> Result<(), ClientError> {
    let mut err = std::io::stderr().lock();
    err.write_all(question.as_bytes())?;
    err.flush()?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| ClientError::Failed(format!("cannot read the answer: {error}")))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(ClientError::Failed("not deleted".to_owned())),
    }
}
