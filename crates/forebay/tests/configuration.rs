//! Settings: precedence, and errors that name key and range.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use forebay::config::{ByteSize, Config, InstanceConfig, Layers, LogFormat, show};

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn from_file(text: &str) -> Result<Config, String> {
    let (_folder, path) = file(text);
    let layers = Layers {
        file: Some(path),
        ..Layers::default()
    };
    layers.resolve().map_err(|error| error.to_string())
}

fn from_env(name: &str, value: &str) -> Result<Config, String> {
    let layers = Layers {
        environment: vec![(name.to_owned(), value.to_owned())],
        ..Layers::default()
    };
    layers.resolve().map_err(|error| error.to_string())
}

#[test]
fn a_flag_stands_above_the_environment_above_the_file_above_the_default() {
    let (_folder, path) = file(
        "data_dir = \"from-file\"\n\
         [http]\nlisten = \"127.0.0.1:1001\"\nkeep_alive = \"90s\"\n\
         [log]\nlevel = \"warn\"\nformat = \"json\"\n\
         [[instance]]\nid = \"ckafka-abcdefgh\"\nbrokers = [\"file:9092\"]\n",
    );
    let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let layers = Layers {
        file: Some(path),
        environment: vec![
            env("PATH", "/bin"),
            env("FOREBAY_HTTP__LISTEN", "127.0.0.1:1002"),
            env("FOREBAY_LOG__LEVEL", "debug"),
            env("FOREBAY_DELIVERY__MEMORY_LIMIT", "1 GiB"),
        ],
        flags: vec![
            ("http.listen", "127.0.0.1:1003".to_owned()),
            ("instance.brokers", "a:1, b:2".to_owned()),
        ],
    };
    let config = layers.resolve().unwrap();
    assert_eq!(config.http.listen.port(), 1003);
    assert_eq!(config.log.level, "debug");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.http.keep_alive, Duration::from_secs(90));
    assert_eq!(config.data_dir, PathBuf::from("from-file"));
    assert_eq!(config.delivery.memory_limit, ByteSize(1 << 30));
    assert_eq!(config.http.max_connections, 25_000);
    let brokers = vec!["a:1".to_owned(), "b:2".to_owned()];
    let instance = InstanceConfig::plain("ckafka-forebay0", brokers);
    assert_eq!(config.instances, [instance]);
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = Layers::default().resolve().unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.http.keep_alive, Duration::from_secs(370));
    assert_eq!(config.delivery.deadline, Duration::from_secs(25));
    assert_eq!(config.delivery.memory_limit, ByteSize(256 << 20));
    assert_eq!(config.registry.topic, "__forebay_tasks");
    assert_eq!(config.broker.listen, "127.0.0.1:0".parse().unwrap());
    assert!(config.broker.fsync && config.instances.is_empty());
    let (path, made) = config.credentials_path();
    assert!(made && path.ends_with("forebay-data/credentials.toml"));
}

#[test]
fn wrong_values_are_refused_with_key_and_range() {
    let cases = [
        (
            "[delivery]\ndeadline = \"51s\"",
            "delivery.deadline",
            "1s to 50s",
        ),
        (
            "[delivery]\ndeadline = \"0s\"",
            "delivery.deadline",
            "1s to 50s",
        ),
        (
            "[delivery]\ndeadline = 25",
            "delivery.deadline",
            "a duration",
        ),
        (
            "[delivery]\nmemory_limit = \"1 KiB\"",
            "delivery.memory_limit",
            "1 MiB",
        ),
        (
            "[http]\nmax_connections = 0",
            "http.max_connections",
            "1 to 1000000",
        ),
        (
            "[http]\nmax_connections = -1",
            "http.max_connections",
            "1 to 1000000",
        ),
        ("[http]\nlisten = \"nowhere\"", "http.listen", "an address"),
        (
            "[http]\nmin_body_rate = \"16 KiB\"",
            "http.min_body_rate",
            "16 KiB/s",
        ),
        (
            "[auth]\nallow_unsigned_payload = \"maybe\"",
            "auth.allow_unsigned_payload",
            "true",
        ),
        (
            "[registry]\ntopic = \"a b\"",
            "registry.topic",
            "a topic name",
        ),
        ("[log]\nlevel = \"loud=very\"", "log.level", "error, warn"),
        (
            "[[instance]]\nid = \"kafka\"\nbrokers = [\"a:1\"]",
            "instance.id",
            "ckafka-",
        ),
        (
            "[[instance]]\nid = \"ckafka-aaaaaaaa\"\nbrokers = [\"a\"]",
            "instance.brokers",
            "host:port",
        ),
        (
            "[[instance]]\nid = \"ckafka-aaaaaaaa\"",
            "instance.brokers",
            "host:port",
        ),
        (
            "[[instance]]\nid = \"ckafka-aaaaaaaa\"\nbrokers = [\"a:1\"]\ncompression = \"LZ4\"",
            "instance.compression",
            "none, lz4, zstd, gzip or snappy",
        ),
        ("instance = 1", "instance", "[[instance]]"),
    ];
    for (text, key, range) in cases {
        let error = from_file(text).unwrap_err();
        assert!(error.contains(&format!("`{key}`")), "{text}: {error}");
        assert!(error.contains(range), "{text}: {error}");
        assert!(error.contains("forebay.toml"), "says where: {error}");
    }
    let error = from_env("FOREBAY_DELIVERY__DEADLINE", "2m").unwrap_err();
    assert!(error.contains("FOREBAY_DELIVERY__DEADLINE"), "{error}");
    assert!(error.contains("1s to 50s"), "{error}");
}

#[test]
fn unknown_keys_are_errors() {
    for (text, key) in [
        ("x = 1", "x"),
        ("[http]\nlisten_on = \"a\"", "http.listen_on"),
        ("[htpp]\nlisten = \"a\"", "htpp"),
        ("[http.listen]\nx = 1", "http.listen"),
        (
            "[[instance]]\nid = \"ckafka-aaaaaaaa\"\nbrokers = [\"a:1\"]\nrack = 1",
            "instance.rack",
        ),
    ] {
        let error = from_file(text).unwrap_err();
        assert!(error.contains("unknown key"), "{text}: {error}");
        assert!(error.contains(&format!("`{key}`")), "{text}: {error}");
    }
    let error = from_env("FOREBAY_HTTP__PORT", "1").unwrap_err();
    assert!(error.contains("unknown key `http.port`"), "{error}");
    assert!(from_file("= nonsense").unwrap_err().contains("TOML"));
}

#[test]
fn settings_have_to_fit_each_other() {
    let ports = "[http]\nlisten = \"127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.1:1\"";
    assert!(from_file(ports).unwrap_err().contains("admin.listen"));
    let instance = "[[instance]]\nid = \"ckafka-aaaaaaaa\"\nbrokers = [\"a:1\"]\n";
    let both = format!("{instance}[broker]\nfsync = false");
    assert!(from_file(&both).unwrap_err().contains("broker.fsync"));
    // In the words of its defaults too: whoever says it expects something.
    let both = format!("{instance}[broker]\nlisten = \"127.0.0.1:0\"");
    assert!(from_file(&both).unwrap_err().contains("broker.listen"));
    let flags = vec![
        ("instance.brokers", "a:1".to_owned()),
        ("broker.listen", "127.0.0.1:0".to_owned()),
    ];
    let both = Layers {
        flags,
        ..Layers::default()
    };
    let error = both.resolve().unwrap_err().to_string();
    assert!(error.contains("on the command line"), "{error}");
    let error = from_env("FOREBAY_HTTP__TLS__CERT", "a").unwrap_err();
    assert!(error.contains("`http.tls.key` is not"), "{error}");
    for section in ["http.tls", "admin.tls"] {
        for (given, missing) in [("cert", "key"), ("key", "cert")] {
            let error = from_file(&format!("[{section}]\n{given} = \"a\"")).unwrap_err();
            let needed = format!("`{section}.{missing}` is not");
            assert!(error.contains(&needed), "{error}");
        }
    }
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    let config = from_file(
        "data_dir = \"a \\\"b\\\"\"\n[http]\nkeep_alive = \"90s\"\nmax_connections = 7\n\
         [http.tls]\ncert = \"a.pem\"\nkey = \"b.pem\"\n\
         [auth]\ncredentials = \"c.toml\"\nallow_unsigned_payload = true\n\
         [[instance]]\nid = \"ckafka-abcdefgh\"\nbrokers = \"a:1,b:2\"\n",
    )
    .unwrap();
    assert_eq!(
        from_file(&show(&config)).unwrap(),
        config,
        "{}",
        show(&config)
    );
}

#[test]
fn compression_is_an_instances_and_the_embedded_brokers() {
    let block = "[[instance]]\nid = \"ckafka-aaaaaaaa\"\nbrokers = [\"a:1\"]\n";
    for name in ["lz4", "zstd", "gzip", "snappy"] {
        let codec = Some(name.parse().unwrap());
        let config = from_file(&format!("{block}compression = \"{name}\"")).unwrap();
        assert_eq!(config.instances[0].compression, codec);
        let shown = from_file(&show(&config)).unwrap();
        assert_eq!(shown.instances, config.instances);

        let embedded = from_file(&format!("[[instance]]\ncompression = \"{name}\"")).unwrap();
        assert_eq!(embedded.embedded_compression, codec);
        assert!(embedded.instances.is_empty());
        let shown = from_file(&show(&embedded)).unwrap();
        assert_eq!(shown.embedded_compression, codec);
        let from_env = from_env("FOREBAY_INSTANCE__COMPRESSION", name).unwrap();
        assert_eq!(from_env, embedded);
    }
    let none = from_file(&format!("{block}compression = \"none\"")).unwrap();
    assert_eq!(none, from_file(block).unwrap());

    // What stands above the file replaces what it says, and no more.
    let (_folder, path) = file(&format!("{block}compression = \"lz4\""));
    let on_top = |environment: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| (format!("FOREBAY_{name}"), (*value).to_owned());
        let layers = Layers {
            file: Some(path.clone()),
            environment: environment.iter().map(owned).collect(),
            ..Layers::default()
        };
        layers.resolve().unwrap().instances.remove(0)
    };
    let changed = on_top(&[("INSTANCE__COMPRESSION", "none")]);
    assert_eq!(changed, none.instances[0]);
    let moved = on_top(&[("INSTANCE__BROKERS", "b:2")]);
    assert_eq!(moved.brokers, ["b:2"]);
    assert_eq!(moved.compression, Some("lz4".parse().unwrap()));
    let both = on_top(&[
        ("INSTANCE__BROKERS", "b:2"),
        ("INSTANCE__COMPRESSION", "gzip"),
    ]);
    assert_eq!(both.compression, Some("gzip".parse().unwrap()));
}
