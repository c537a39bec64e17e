//! From an address to a stream and a messenger that speaks the broker's versions.

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
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};

use super::stream::{Stream, Transport};
use crate::{
    Error,
    error::{CONNECTING, ErrorCode},
};

/// Resolves `address` anew and tries what it stands for, one after the other,
/// so that an address that swallows packets leaves time for the others.
pub(super) async fn connect(address: &str, limit: Duration) -> Result<Transport, Error> {
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
                return Ok(Transport::Plain(stream));
            }
            Ok(Err(error)) => failed(error),
            Err(_) => timed_out(),
        };
    }
    Err(last)
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
