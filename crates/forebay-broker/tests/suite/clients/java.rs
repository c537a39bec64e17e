//! Apache Kafka's own Java client: producer, consumer without a group, admin.
//! What it does stands in `tests/kafka/ClientScenarios.java`.

use crate::target::{Target, unique_name};

on_both!(produces_and_consumes_in_every_codec, administers);

fn run(target: &Target, scenario: &str, args: &[&str]) {
    let Some(home) = target.java_home() else {
        return;
    };
    let bootstrap = target.address().to_string();
    let output = home.run_client_scenario(&bootstrap, scenario, args);
    let output = output.unwrap();
    assert!(output.contains(&format!("done: {scenario}")), "{output}");
}

fn produces_and_consumes_in_every_codec(target: &Target) {
    // The embedded broker looks times up by compressed batch, unopened.
    let opens_batches = (!target.is_embedded()).to_string();
    run(target, "records", &[&unique_name(), &opens_batches]);
}

fn administers(target: &Target) {
    run(target, "admin", &[&unique_name()]);
}
