use crate::config::{Config, Layers, show};

const BLOCK: &str = "[[instance]]\nid = \"ckafka-aaaaaaaa\"\nbrokers = [\"a:1\"]\n";

fn resolve(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.toml");
    std::fs::write(&path, text).unwrap();
    let owned = |(name, value): &(&str, &str)| {
        let name = format!("FOREBAY_INSTANCE__{name}");
        (name, (*value).to_owned())
    };
    let layers = Layers {
        file: Some(path),
        environment: environment.iter().map(owned).collect(),
        ..Layers::default()
    };
    layers.resolve().map_err(|error| error.to_string())
}

fn block(more: &str) -> Result<Config, String> {
    resolve(&format!("{BLOCK}{more}"), &[])
}

#[test]
fn tls_and_sasl_are_read_and_shown_without_the_password() {
    let config = block(
        "[instance.tls]\nca = \"ca.pem\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n\
         [instance.sasl]\nmechanism = \"SCRAM-SHA-512\"\nusername = \"ann\"\n\
         password_file = \"secret\"\n",
    )
    .unwrap();
    let shown = show(&config);
    let again = resolve(&shown, &[]).unwrap();
    assert_eq!(again.instances, config.instances, "{shown}");

    let config = block(
        "tls.ca = \"system\"\n\
         sasl = { mechanism = \"PLAIN\", username = \"ann\", password = \"hunter2\" }\n",
    )
    .unwrap();
    let shown = show(&config);
    assert!(shown.contains("tls.ca = \"system\""), "{shown}");
    assert!(shown.contains("sasl.password is set"), "{shown}");
    for text in [shown.clone(), format!("{config:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    // The place of the password is left to whoever reads it back.
    let again = resolve(&shown, &[("SASL__PASSWORD", "hunter2")]).unwrap();
    assert_eq!(again.instances, config.instances);
}

#[test]
fn what_is_missing_or_too_much_is_named() {
    for (more, expected) in [
        ("tls = {}", "`instance.tls.ca`"),
        ("tls.cert = \"c\"\ntls.key = \"k\"", "`instance.tls.ca`"),
        ("tls.ca = \"a\"\ntls.cert = \"c\"", "`instance.tls.key`"),
        ("tls.ca = \"\"", "a PEM file, or system"),
        ("tls.insecure = true", "unknown key `instance.tls.insecure`"),
        ("tls = true", "unknown key `instance.tls`"),
        ("sasl = {}", "`instance.sasl.mechanism`"),
        ("sasl.mechanism = \"GSSAPI\"", "SCRAM-SHA-256"),
        ("sasl.mechanism = \"PLAIN\"", "`instance.sasl.username`"),
        (
            "sasl = { mechanism = \"PLAIN\", username = \"u\" }",
            "`instance.sasl.password_file`",
        ),
        (
            "sasl = { mechanism = \"PLAIN\", username = \"u\", password = \"p\", password_file = \"f\" }",
            "one of `instance.sasl.password`",
        ),
    ] {
        let error = block(more).unwrap_err();
        assert!(error.contains(expected), "{more}: {error}");
    }
    let no_kafka = "[[instance]]\ntls.ca = \"system\"\n";
    let error = resolve(no_kafka, &[]).unwrap_err();
    assert!(error.contains("give `instance.brokers` too"), "{error}");
}

#[test]
fn no_error_shows_a_password() {
    for text in [
        "sasl.password = 31337",
        "sasl.password = 'hunter2-31337",
        "sasl.password = [\"hunter2-31337\"]",
        "sasl.password = \"hunter2-31337\"\nsasl.mechanism = 1",
        "sasl.password = \"hunter2-31337\" x",
    ] {
        let error = block(text).unwrap_err();
        assert!(!error.contains("31337"), "{text}: {error}");
    }
    for text in [
        "[instance]\nsasl.password = \"hunter2-31337\"",
        "instance = [\"hunter2-31337\"]",
        "instance = \"hunter2-31337\"",
    ] {
        let error = resolve(text, &[]).unwrap_err();
        assert!(!error.contains("31337"), "{text}: {error}");
        assert!(error.contains("table"), "{text}: {error}");
    }
    let error = block("x\n").unwrap_err();
    assert!(error.contains("line 4"), "{error}");
}

#[test]
fn the_environment_is_put_above_the_only_instance() {
    let file = format!(
        "{BLOCK}sasl = {{ mechanism = \"PLAIN\", username = \"u\", password_file = \"f\" }}"
    );
    let config = resolve(&file, &[("SASL__PASSWORD", "p"), ("TLS__CA", "system")]).unwrap();
    let explicit = block(
        "tls.ca = \"system\"\n\
         sasl = { mechanism = \"PLAIN\", username = \"u\", password = \"p\" }",
    );
    assert_eq!(config, explicit.unwrap());
    let other_brokers = resolve(&file, &[("BROKERS", "b:2")]).unwrap();
    assert_eq!(
        other_brokers.instances[0].sasl,
        resolve(&file, &[]).unwrap().instances[0].sasl
    );

    let two = format!("{BLOCK}{}", BLOCK.replace("aaaaaaaa", "bbbbbbbb"));
    let error = resolve(&two, &[("TLS__CA", "system")]).unwrap_err();
    assert!(
        error.contains("`instance.tls.ca` is about one instance"),
        "{error}"
    );
    let error = resolve("", &[("ID", "ckafka-aaaaaaaa")]).unwrap_err();
    assert!(
        error.contains("`instance.id` is about one instance"),
        "{error}"
    );
}

#[test]
fn several_instances_have_ids_of_their_own() {
    let two = format!("{BLOCK}{}", BLOCK.replace("aaaaaaaa", "bbbbbbbb"));
    let config = resolve(&two, &[]).unwrap();
    let ids: Vec<_> = config.instances.iter().map(|one| &*one.id).collect();
    assert_eq!(ids, ["ckafka-aaaaaaaa", "ckafka-bbbbbbbb"]);
    let again = resolve(&show(&config), &[]).unwrap();
    assert_eq!(again.instances, config.instances);
    let error = block(BLOCK).unwrap_err();
    assert!(error.contains("have the id `ckafka-aaaaaaaa`"), "{error}");
}
