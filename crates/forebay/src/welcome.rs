//! What a person sees on stdout after the start.

use std::fmt::Write as _;

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
    for instance in &running.config.instances {
        let brokers = instance.brokers.join(",");
        writeln!(text, "Kafka        {brokers}   instance {}", instance.id)
            .expect("writing to a String cannot fail");
    }
    writeln!(
        text,
        "Credentials  {credentials}{made}\n\
         Try it       curl -s http://{}/readyz",
        running.admin
    )
    .expect("writing to a String cannot fail");
    text
}
