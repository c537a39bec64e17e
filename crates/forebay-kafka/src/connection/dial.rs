//! From an address to a stream, with TLS if need be, and a messenger that speaks
//! the broker's versions.

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use rskafka::{
    messenger::{Messenger, RequestError},
    protocol::{
        api_key::ApiKey,
        api_version::{ApiVersion, ApiVersionRange},
        messages::{ApiVersionsRequest, ApiVersionsResponse},
        primitives::{CompactString, Int16, TaggedFields},
    },
};
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpStream, lookup_host},
    task::spawn_blocking,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::stream::{Stream, Transport};
use crate::{
    Error,
    error::{CONNECTING, ErrorCode},
    security::{ClientTls, explain},
};

/// Resolves `address` anew and tries what it stands for, one after the other,
/// so that an address that swallows packets leaves time for the others.
pub(super) async fn connect(address: &str, limit: Duration) -> Result<TcpStream, Error> {
    let deadline = Instant::now() + limit;
    let failed = |source: io::Error| Error::Connect {
        address: address.to_owned(),
        source: Arc::new(source),
    };
    let timed_out = || Error::Timeout {
        what: CONNECTING,
        after: limit,
    };
    let resolved = timeout_at(deadline, lookup_host(address))
        .await
        .map_err(|_| timed_out())?;
    let addresses: Vec<SocketAddr> = resolved.map_err(failed)?.collect();
    let mut last = failed(io::Error::new(
        io::ErrorKind::NotFound,
        "the name has no address",
    ));
    for (index, socket_address) in addresses.iter().enumerate() {
        let share = (deadline - Instant::now()) / (addresses.len() - index) as u32;
        last = match timeout(share, TcpStream::connect(socket_address)).await {
            Ok(Ok(stream)) => {
                // Without it each frame above one segment waits for a delayed
                // acknowledgement: 44 ms instead of 0.2 ms.
                stream.set_nodelay(true).map_err(failed)?;
                return Ok(stream);
            }
            Ok(Err(error)) => failed(error),
            Err(_) => timed_out(),
        };
    }
    Err(last)
}

/// Shakes hands for TLS, if the connection is to have it.
pub(super) async fn secure(
    address: &str,
    stream: TcpStream,
    tls: Option<&Arc<ClientTls>>,
) -> Result<Transport, Error> {
    let Some(tls) = tls else {
        return Ok(Transport::Plain(stream));
    };
    let failed = |reason: String| Error::Tls {
        address: address.to_owned(),
        reason,
    };
    let host = host(address);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| failed(format!("expected a host name or an address, got {host:?}")))?;
    let reading = Arc::clone(tls);
    let config = spawn_blocking(move || reading.config())
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Transport::Tls(Box::new(stream))),
        Err(error) => Err(match tls_cause(&error) {
            Some(cause) => failed(explain(cause)),
            None => broken_off(address, &error, "does this port speak TLS?"),
        }),
    }
}

/// The host in `host:port`, without the brackets of an IPv6 address.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What a broker has against our side of a TLS connection it says only after
/// the handshake, or not at all.
pub(super) fn explain_refusal(error: Error, address: &str) -> Error {
    let Error::Io(source) = &error else {
        return error;
    };
    match tls_cause(source) {
        Some(cause) => Error::Tls {
            address: address.to_owned(),
            reason: explain(cause),
        },
        None => {
            let hint = "that was right after the handshake: does it want a client certificate?";
            broken_off(address, source, hint)
        }
    }
}

/// The connection broke while it was made: by a broker that is starting or
/// stopping, if not for what `hint` says. Not [`Error::Tls`], after which the
/// next attempt takes its time.
fn broken_off(address: &str, source: &io::Error, hint: &str) -> Error {
    let text = format!("no TLS connection: {source}; {hint}");
    Error::Connect {
        address: address.to_owned(),
        source: Arc::new(io::Error::new(source.kind(), text)),
    }
}

/// Asks the broker for its versions and tells the messenger.
///
/// In place of the messenger's own way, which names another client to the broker.
pub(super) async fn handshake(messenger: &mut Messenger<Stream>) -> Result<(), Error> {
    let mut last = None;
    // A broker that does not know version 3 answers in version 0 (KIP-511).
    for version in [3, 0] {
        let zero = ApiVersion(Int16(0));
        let range = ApiVersionRange::new(zero, ApiVersion(Int16(version)));
        messenger.override_version_ranges(HashMap::from([(ApiKey::ApiVersions, range)]));
        let request = ApiVersionsRequest {
            client_software_name: Some(CompactString("forebay".to_owned())),
            client_software_version: Some(CompactString(env!("CARGO_PKG_VERSION").to_owned())),
            tagged_fields: Some(TaggedFields::default()),
        };
        match messenger.request(request).await {
            Ok(answer) => match ErrorCode::of(answer.error_code) {
                ErrorCode::NONE => {
                    messenger.override_version_ranges(version_ranges(&answer));
                    return Ok(());
                }
                code => last = Some(Error::api(code, "asking for the broker's versions", None)),
            },
            Err(
                error @ (RequestError::ReadError(_)
                | RequestError::ReadVersionedError(_)
                | RequestError::TooMuchData { .. }),
            ) => last = Some(Error::from_request(&error, "ApiVersions")),
            Err(error) => return Err(Error::from_request(&error, "ApiVersions")),
        }
    }
    Err(last.unwrap_or(Error::UnsupportedVersion("ApiVersions")))
}

fn version_ranges(answer: &ApiVersionsResponse) -> HashMap<ApiKey, ApiVersionRange> {
    let sane = answer
        .api_keys
        .iter()
        .filter(|api| api.min_version <= api.max_version);
    sane.map(|api| {
        (
            api.api_key,
            ApiVersionRange::new(api.min_version, api.max_version),
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_looked_at_for_the_host_alone() {
        for (address, expected) in [
            ("kafka.example:9093", "kafka.example"),
            ("127.0.0.1:9093", "127.0.0.1"),
            ("[::1]:9093", "::1"),
        ] {
            assert_eq!(host(address), expected);
            ServerName::try_from(host(address)).unwrap();
        }
    }
}
