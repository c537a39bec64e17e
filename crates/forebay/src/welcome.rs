//! What a person sees on stdout after the start.

use std::fmt::Write as _;

use crate::config::Config;
use crate::embedded::QUICKSTART_DATAHUB;
use crate::startup::Running;

/// Addresses, where the credentials are, and one command to try it.
pub(crate) fn text(running: &Running) -> String {
    let credentials = running.credentials.path().display();
    let made = if running.credentials.made_now() {
        " (made just now)"
    } else {
        ""
    };
    let mut text = format!(
        "Forebay {version}\n\
         API          http://{api}\n\
         Admin        http://{admin}   /metrics /livez /readyz\n",
        version = env!("CARGO_PKG_VERSION"),
        api = running.api,
        admin = running.admin,
    );
    let kind = if running.embedded.is_some() {
        "embedded broker, for development"
    } else {
        "instance"
    };
    for instance in &running.config.instances {
        let brokers = instance.brokers.join(",");
        writeln!(text, "Kafka        {brokers}   {kind} {}", instance.id)
            .expect("writing to a String cannot fail");
    }
    writeln!(
        text,
        "Credentials  {credentials}{made}\nTry it       {}",
        command_to_try(running)
    )
    .expect("writing to a String cannot fail");
    text
}

/// A command that works as it stands, in another terminal and in any folder.
fn command_to_try(running: &Running) -> String {
    if !running.has_quickstart() {
        return format!("curl -s http://{}/readyz", running.admin);
    }
    let program = std::env::current_exe().map_or_else(
        |_| "forebay".to_owned(),
        |path| quoted(&path.display().to_string()),
    );
    let mut command =
        format!("echo hello | {program} send --datahub {QUICKSTART_DATAHUB} --print-ids");
    let defaults = Config::default();
    if running.api != defaults.http.listen {
        write!(command, " --endpoint http://{}", running.api)
            .expect("writing to a String cannot fail");
    }
    let (path, _) = running.config.credentials_path();
    let path = std::path::absolute(&path).unwrap_or(path);
    write!(
        command,
        " --credentials {}",
        quoted(&path.display().to_string())
    )
    .expect("writing to a String cannot fail");
    command
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word_of_the_shell() {
        assert_eq!(quoted("/opt/forebay-1.0/bin"), "/opt/forebay-1.0/bin");
        assert_eq!(quoted("/my data/it's"), r"'/my data/it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
