//! The login by SASL: SaslHandshake and SaslAuthenticate (KIP-43, KIP-152).

use std::{sync::Arc, time::Duration};

use rsasl::prelude::{Mechname, SASLClient, SASLConfig, SessionError};
use rskafka::{
    messenger::Messenger,
    protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest},
};
use tokio::task::spawn_blocking;

use super::stream::Stream;
use crate::{
    Error,
    error::ErrorCode,
    security::{SaslLogin, SaslMechanism},
};

/// How often the password is hashed for a proof. Fewer rounds than RFC 7677
/// says would help whoever listens to guess it; of more than the upper limit a
/// false broker would have us calculate for minutes. Kafka takes 4096 to 16384.
const ROUNDS: std::ops::RangeInclusive<u32> = 4096..=1_000_000;

/// Messages of any mechanism's exchange.
const MAX_STEPS: usize = 8;

/// Logs in, and returns for how long that is good (KIP-368); `None` is forever.
///
/// With SCRAM the broker has to prove that it knows the password, too.
pub(super) async fn log_in(
    messenger: &Messenger<Stream>,
    address: &str,
    login: &Arc<SaslLogin>,
) -> Result<Option<Duration>, Error> {
    let exchange = Exchange {
        messenger,
        address,
        mechanism: login.mechanism,
    };
    exchange.propose().await?;
    exchange.authenticate(login).await
}

struct Exchange<'a> {
    messenger: &'a Messenger<Stream>,
    address: &'a str,
    mechanism: SaslMechanism,
}

impl Exchange<'_> {
    fn failed(&self, reason: impl ToString) -> Error {
        Error::Login {
            address: self.address.to_owned(),
            mechanism: self.mechanism.name(),
            reason: reason.to_string(),
        }
    }

    /// Tells the broker which mechanism comes.
    async fn propose(&self) -> Result<(), Error> {
        let request = SaslHandshakeRequest::new(self.mechanism.name());
        let answer = self.messenger.request(request).await;
        let answer = answer.map_err(|error| Error::from_request(&error, "SaslHandshake"))?;
        match ErrorCode::of(answer.error_code) {
            ErrorCode::NONE => Ok(()),
            ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
                let offered = answer.mechanisms.0.unwrap_or_default();
                let offered: Vec<_> = offered.iter().map(|name| name.0.as_str()).collect();
                Err(self.failed(format!(
                    "the broker does not offer it, only {}",
                    offered.join(", ")
                )))
            }
            ErrorCode::ILLEGAL_SASL_STATE => {
                Err(self.failed("the broker wants no login on this port"))
            }
            code => Err(self.failed(code)),
        }
    }

    async fn authenticate(&self, login: &Arc<SaslLogin>) -> Result<Option<Duration>, Error> {
        let mut step = self.begin(login).await?;
        let mut lifetime = None;
        for _ in 0..MAX_STEPS {
            let mut received = None;
            if let Some(bytes) = step.to_send.take() {
                let answer = self.send(bytes).await?;
                lifetime = answer.session_lifetime_ms.map(|ms| ms.0);
                received = Some(answer.auth_bytes.0);
            }
            if step.finished {
                let ms = lifetime.and_then(|ms| u64::try_from(ms).ok());
                return Ok(ms.filter(|ms| *ms > 0).map(Duration::from_millis));
            }
            step = self.step(step.session, received).await?;
        }
        Err(self.failed("the exchange does not come to an end"))
    }

    async fn begin(&self, login: &Arc<SaslLogin>) -> Result<Step, Error> {
        let reading = Arc::clone(login);
        let password = spawn_blocking(move || reading.password()).await;
        let password = password
            .map_err(|error| self.failed(error))?
            .map_err(|error| self.failed(error))?;
        let config = SASLConfig::with_credentials(
            None,
            login.username.clone(),
            password.reveal().to_owned(),
        )
        .map_err(|error| self.failed(error))?;
        let name = Mechname::parse(self.mechanism.name().as_bytes())
            .map_err(|error| self.failed(error))?;
        let session = SASLClient::new(config)
            .start_suggested(&[name])
            .map_err(|error| self.failed(error))?;
        self.step(session, None).await
    }

    /// One step of ours, on a thread that may calculate: a proof takes
    /// milliseconds.
    async fn step(
        &self,
        mut session: rsasl::prelude::Session,
        received: Option<Vec<u8>>,
    ) -> Result<Step, Error> {
        if self.mechanism != SaslMechanism::Plain
            && let Some(challenge) = &received
        {
            check_rounds(challenge).map_err(|reason| self.failed(reason))?;
        }
        let calculate = move || {
            let mut out = Vec::new();
            let state = session.step(received.as_deref(), &mut out)?;
            Ok(Step {
                session,
                to_send: state.has_sent_message().then_some(out),
                finished: state.is_finished(),
            })
        };
        let calculated: Result<Step, SessionError> = spawn_blocking(calculate)
            .await
            .map_err(|_| self.failed("the broker's message cannot be understood"))?;
        calculated.map_err(|error| match error {
            SessionError::MutualAuthenticationFailed => self.failed(
                "the broker has not proved that it knows the password: it may be a false one",
            ),
            other => self.failed(other),
        })
    }

    async fn send(&self, bytes: Vec<u8>) -> Result<SaslAuthenticateResponse, Error> {
        let request = SaslAuthenticateRequest::new(bytes);
        let answer = self.messenger.request(request).await;
        let answer = answer.map_err(|error| Error::from_request(&error, "SaslAuthenticate"))?;
        match ErrorCode::of(answer.error_code) {
            ErrorCode::NONE => Ok(answer),
            code => Err(self.failed(match answer.error_message.0 {
                Some(words) if !words.is_empty() => format!("{code}: {words:.500}"),
                _ => code.to_string(),
            })),
        }
    }
}

/// Where the exchange stands after a step of ours.
struct Step {
    session: rsasl::prelude::Session,
    to_send: Option<Vec<u8>>,
    finished: bool,
}

/// Looks at the rounds that a broker's first SCRAM message demands, before
/// anybody calculates them. Other messages have none.
fn check_rounds(message: &[u8]) -> Result<(), String> {
    let attributes = message.split(|byte| *byte == b',');
    for attribute in attributes {
        let Some(rounds) = attribute.strip_prefix(b"i=") else {
            continue;
        };
        let rounds: Option<u32> = std::str::from_utf8(rounds)
            .ok()
            .and_then(|text| text.parse().ok());
        if !rounds.is_some_and(|rounds| ROUNDS.contains(&rounds)) {
            return Err(format!(
                "the broker demands {} rounds of hashing, expected {} to {}",
                rounds.map_or_else(|| "a wrong number of".to_owned(), |n| n.to_string()),
                ROUNDS.start(),
                ROUNDS.end()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::{ConnectOptions, Connection},
        fake_broker::{FakeBroker, Reply, SASL_AUTHENTICATE, SASL_HANDSHAKE, authenticated},
        security::{PasswordSource, Secret, Security},
    };

    const LONG: Duration = Duration::from_secs(30);

    /// Connects to a broker that answers every login with these words.
    async fn connect(
        mechanism: SaslMechanism,
        words: &[u8],
        lifetime_ms: i64,
    ) -> (FakeBroker, Result<Connection, Error>) {
        let answer = authenticated(words, lifetime_ms);
        let broker = FakeBroker::start(move |api| match api {
            // No error, no mechanisms.
            SASL_HANDSHAKE => Reply::Answer(vec![0; 6]),
            SASL_AUTHENTICATE => Reply::Answer(answer.clone()),
            _ => Reply::Answer(Vec::new()),
        })
        .await;
        let login = SaslLogin {
            mechanism,
            username: "ann".to_owned(),
            password: PasswordSource::Inline(Secret::new("hunter2")),
        };
        let options = ConnectOptions {
            client_id: "test".into(),
            connect_timeout: LONG,
            handshake_timeout: LONG,
            max_answer_bytes: 1 << 20,
            security: Security::new(None, Some(login)),
        };
        let connection = Connection::open(&broker.address(), &options).await;
        (broker, connection)
    }

    #[test]
    fn neither_too_few_nor_too_many_rounds_are_calculated() {
        for good in ["r=abc,s=QUJD,i=4096", "r=abc,s=QUJD,i=16384,x=y", "v=abc"] {
            check_rounds(good.as_bytes()).unwrap();
        }
        for bad in ["r=a,s=b,i=1", "r=a,s=b,i=4294967295", "r=a,s=b,i=", "i=-1"] {
            check_rounds(bad.as_bytes()).unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_broker_that_says_yes_and_proves_nothing_is_not_believed() {
        let words: [&[u8]; 5] = [b"", b"v=AAAA", b"x", b"r=abc,s=QUJD,i=4096", b"\xff,,,"];
        for words in words {
            let (_broker, connection) = connect(SaslMechanism::ScramSha256, words, 0).await;
            let error = connection.unwrap_err();
            assert!(matches!(error, Error::Login { .. }), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_connection_retires_before_its_login_ends() {
        let (_broker, connection) = connect(SaslMechanism::Plain, b"", 0).await;
        assert!(!connection.unwrap().is_closed(), "a login without an end");
        let (_broker, connection) = connect(SaslMechanism::Plain, b"", 500).await;
        let connection = connection.unwrap();
        tokio::time::timeout(LONG, connection.closed())
            .await
            .unwrap();
        assert!(connection.is_closed());
        let (_broker, connection) = connect(SaslMechanism::Plain, b"", 3_600_000).await;
        assert!(!connection.unwrap().is_closed(), "an hour");
    }
}
