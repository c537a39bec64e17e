//! One Kafka with a listener for each kind of protection, and clients of it.

pub(crate) mod certificates;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, UNIX_EPOCH},
};

use forebay_kafka::{
    Cluster, ClusterConfig, NewTopic,
    produce::{PendingBatch, ProduceLanes, ProduceObserver, SealedBatch},
    record_batch::encode::BatchEncoder,
    security::{
        ClientIdentity, PasswordSource, SaslLogin, SaslMechanism, Secret, Security, TlsFiles,
        TrustedRoots,
    },
    writer::{IdempotentWriter, PartitionWriter, WriteOutcome},
};
use forebay_testkit::{KafkaCluster, KafkaHome, Options};
use tokio::{sync::OnceCell, time::Instant};

use certificates::{Authority, Pair, Valid};

/// For what must succeed in the end.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// The user that Kafka knows, and the password.
pub(crate) const USER: &str = "ann";
pub(crate) const PASSWORD: &str = "correct horse 7";

/// How long a login on the listener `SHORT` is good for.
pub(crate) const SHORT_LOGIN: Duration = Duration::from_secs(4);

const ALL_MECHANISMS: &str = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512";

/// What all tests share.
pub(crate) struct Secured {
    pub(crate) kafka: KafkaCluster,
    pub(crate) authority: Authority,
}

impl Secured {
    /// Ends with the process.
    pub(crate) async fn shared(home: &KafkaHome) -> &'static Self {
        static SHARED: OnceCell<Secured> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(home)).await
    }

    async fn start(home: &KafkaHome) -> Self {
        let authority = Authority::new("authority");
        let good = authority.issue(&["localhost"], Valid::Now);
        let expired = authority.issue(&["localhost"], Valid::LongAgo);
        let elsewhere = authority.issue(&["kafka.example"], Valid::Now);
        let mut options = Options::one_node().scram_user(USER, PASSWORD);
        for (name, pair) in [
            ("TLS", &good),
            ("MTLS", &good),
            ("TLSLOGIN", &good),
            ("EXPIRED", &expired),
            ("ELSEWHERE", &elsewhere),
        ] {
            let protocol = match name {
                "TLSLOGIN" => "SASL_SSL",
                _ => "SSL",
            };
            options = options.listener(name, protocol, "localhost");
            options = with_certificate(options, name, pair);
        }
        options = options
            .property("listener.name.mtls.ssl.client.auth", "required")
            .property("listener.name.mtls.ssl.truststore.type", "PEM")
            .property(
                "listener.name.mtls.ssl.truststore.certificates",
                one_line(&authority.pem),
            )
            .listener("LOGIN", "SASL_PLAINTEXT", "127.0.0.1")
            .listener("ONLYPLAIN", "SASL_PLAINTEXT", "127.0.0.1")
            .listener("SHORT", "SASL_PLAINTEXT", "127.0.0.1")
            .property(
                "listener.name.short.scram-sha-256.connections.max.reauth.ms",
                SHORT_LOGIN.as_millis(),
            );
        for (listener, mechanisms) in [
            ("login", ALL_MECHANISMS),
            ("tlslogin", ALL_MECHANISMS),
            ("short", ALL_MECHANISMS),
            ("onlyplain", "PLAIN"),
        ] {
            options = with_login(options, listener, mechanisms);
        }
        let kafka = KafkaCluster::start(home, options).await;
        Self {
            kafka: kafka.unwrap_or_else(|error| panic!("{error:?}")),
            authority,
        }
    }

    /// Makes no connection yet.
    pub(crate) fn client(&self, listener: &str, security: &Security) -> Cluster {
        let bootstrap = match listener {
            "CLIENT" => self.kafka.bootstrap(),
            other => self.kafka.listener(other),
        };
        Cluster::new(ClusterConfig {
            security: security.clone(),
            ..ClusterConfig::new(bootstrap)
        })
    }

    /// Why a client cannot get at the cluster.
    pub(crate) async fn refusal(&self, listener: &str, security: &Security) -> String {
        let client = self.client(listener, security);
        client.check().await.unwrap_err().to_string()
    }

    /// The authority's certificate and a client's pair, as files in `dir`.
    pub(crate) fn files(&self, dir: &Path, pair: Option<&Pair>) -> TlsFiles {
        TlsFiles {
            ca: TrustedRoots::File(write(dir, "ca.pem", &self.authority.pem)),
            identity: pair.map(|pair| ClientIdentity {
                cert: write(dir, "cert.pem", &pair.cert),
                key: write(dir, "key.pem", &pair.key),
            }),
        }
    }
}

/// Writes a file in one step, as whoever renews certificates should.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    let new = dir.join("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, &path).unwrap();
    path
}

pub(crate) fn login(mechanism: SaslMechanism, user: &str, password: &str) -> SaslLogin {
    SaslLogin {
        mechanism,
        username: user.to_owned(),
        password: PasswordSource::Inline(Secret::new(password)),
    }
}

fn with_certificate(options: Options, listener: &str, pair: &Pair) -> Options {
    let key = |name: &str| format!("listener.name.{}.ssl.{name}", listener.to_lowercase());
    options
        .property(&key("keystore.type"), "PEM")
        .property(&key("keystore.key"), one_line(&pair.key))
        .property(&key("keystore.certificate.chain"), one_line(&pair.cert))
}

fn with_login(mut options: Options, listener: &str, mechanisms: &str) -> Options {
    let prefix = format!("listener.name.{listener}");
    options = options.property(&format!("{prefix}.sasl.enabled.mechanisms"), mechanisms);
    for mechanism in mechanisms.split(',') {
        let module = match mechanism {
            "PLAIN" => format!(
                "org.apache.kafka.common.security.plain.PlainLoginModule required \
                 user_{USER}=\"{PASSWORD}\";"
            ),
            _ => "org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
        };
        let key = format!("{prefix}.{}.sasl.jaas.config", mechanism.to_lowercase());
        options = options.property(&key, module);
    }
    options
}

/// Line ends as properties files have them.
fn one_line(pem: &str) -> String {
    pem.replace('\r', "").replace('\n', "\\n")
}

/// Counts the connections of lanes.
#[derive(Default)]
pub(crate) struct Connections(pub(crate) AtomicUsize);

impl ProduceObserver for Connections {
    fn resent(&self) {}
    fn bumped(&self) {}
    fn throttled(&self, _: Duration) {}
    fn connected(&self, _: i32, up: bool) {
        self.0.fetch_add(usize::from(up), SeqCst);
    }
}

#[derive(Debug)]
struct Batch(Option<BatchEncoder>, Instant);

impl PendingBatch for Batch {
    fn is_wanted(&mut self) -> bool {
        self.0.is_some() && Instant::now() < self.1
    }

    fn seal(&mut self) -> Option<SealedBatch> {
        Some(SealedBatch {
            records: self.0.take()?,
            give_up: self.1,
        })
    }
}

/// Writes to partition 0 of a topic of its own.
pub(crate) struct Writer {
    inner: IdempotentWriter,
    pub(crate) connections: Arc<Connections>,
}

impl Writer {
    /// Creates the topic.
    pub(crate) async fn new(client: &Cluster, topic: &str) -> Self {
        let new = NewTopic {
            name: topic.to_owned(),
            partitions: Some(1),
            ..NewTopic::default()
        };
        client.create_topic(&new).await.unwrap();
        let connections = Arc::new(Connections::default());
        let lanes = ProduceLanes::new(client.clone(), Arc::clone(&connections) as Arc<_>);
        Self {
            inner: IdempotentWriter::new(topic.into(), 0, lanes),
            connections,
        }
    }

    /// Writes one record and waits until it is acknowledged.
    pub(crate) async fn write(&mut self, value: &str) {
        let mut records = BatchEncoder::default();
        let time = UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
        records.push(time, None, Some(value.as_bytes()));
        let batch = Batch(Some(records), Instant::now() + LIMIT);
        let outcome = self.inner.write(Box::new(batch)).await;
        assert!(matches!(outcome, WriteOutcome::Acked { .. }), "{outcome:?}");
    }
}
