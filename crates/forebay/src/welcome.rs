//! What a person sees on stdout after the start.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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
    let (api, api_note) = running.api_place();
    let (admin, admin_note) = running.admin_place();
    let mut text = format!(
        "Forebay {version}\n\
         API          {api}{api_note}\n\
         Admin        {admin}   console, /metrics /livez /readyz{admin_note}\n",
        version = env!("CARGO_PKG_VERSION"),
    );
    let kind = if running.embedded.is_some() {
        "embedded broker, for development"
    } else {
        "instance"
    };
    let broker = running.config.broker.listen;
    let note = match &running.embedded {
        Some(_) => everywhere(broker),
        None => "",
    };
    for instance in &running.config.instances {
        let brokers = instance.brokers.join(",");
        writeln!(
            text,
            "Kafka        {brokers}   {kind} {}{note}",
            instance.id
        )
        .expect("writing to a String cannot fail");
    }
    writeln!(
        text,
        "Credentials  {credentials}{made}\n{}Try it       {}",
        sign_in_line(running),
        command_to_try(running)
    )
    .expect("writing to a String cannot fail");
    text
}

/// How a newcomer gets into the console without looking for the credentials.
/// Only of credentials just made: whoever restarts a replica has them already,
/// and its output may go to a log that others read.
fn sign_in_line(running: &Running) -> String {
    if !running.credentials.made_now() {
        return String::new();
    }
    running.one_time_link().map_or_else(
        |_| String::new(),
        |link| format!("Sign in      {link}   works once, for 15 minutes\n"),
    )
}

/// A command that works as it stands, in another terminal and in any folder.
fn command_to_try(running: &Running) -> String {
    if !running.has_quickstart() {
        let insecure = if running.config.admin.tls.is_some() {
            "k"
        } else {
            ""
        };
        return format!("curl -s{insecure} {}/readyz", running.admin_place().0);
    }
    let program = std::env::current_exe().map_or_else(
        |_| "forebay".to_owned(),
        |path| quoted(&path.display().to_string()),
    );
    let mut command =
        format!("echo hello | {program} send --datahub {QUICKSTART_DATAHUB} --print-ids");
    let defaults = Config::default();
    if running.api != defaults.http.listen || running.config.http.tls.is_some() {
        let (endpoint, _) = running.api_place();
        write!(command, " --endpoint {endpoint}").expect("writing to a String cannot fail");
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

impl Running {
    /// Where this machine finds the API, and what to say about it.
    fn api_place(&self) -> (String, &'static str) {
        place(self.api, self.config.http.tls.is_some())
    }

    /// The same for the admin listener.
    pub(crate) fn admin_place(&self) -> (String, &'static str) {
        place(self.admin, self.config.admin.tls.is_some())
    }
}

fn place(listening: SocketAddr, is_tls: bool) -> (String, &'static str) {
    let scheme = if is_tls { "https" } else { "http" };
    let url = format!("{scheme}://{}", reachable(listening));
    (url, everywhere(listening))
}

/// A wildcard is an address to listen on, not to connect to.
pub(crate) fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

/// Whoever opened a listener to the network wants to see it.
fn everywhere(listening: SocketAddr) -> &'static str {
    if listening.ip().is_unspecified() {
        "   (on all addresses)"
    } else {
        ""
    }
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
    fn what_is_printed_can_be_connected_to() {
        let shown = |listening: &str, is_tls| {
            let (url, note) = place(listening.parse().unwrap(), is_tls);
            url + note
        };
        assert_eq!(shown("10.0.0.1:80", false), "http://10.0.0.1:80");
        let all = "https://127.0.0.1:1   (on all addresses)";
        assert_eq!(shown("0.0.0.0:1", true), all);
        let all = "http://[::1]:1   (on all addresses)";
        assert_eq!(shown("[::]:1", false), all);
    }

    #[test]
    fn a_path_stays_one_word_of_the_shell() {
        assert_eq!(quoted("/opt/forebay-1.0/bin"), "/opt/forebay-1.0/bin");
        assert_eq!(quoted("/my data/it's"), r"'/my data/it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
