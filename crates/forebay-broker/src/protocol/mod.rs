//! The Kafka protocol: from a request's frame to its response's.

mod api_versions;
mod cluster;
mod configs;
mod error_code;
mod fetch;
mod frame;
mod frame_shape;
mod list_offsets;
mod partition_rows;
mod produce;
mod producer_id;
mod topic_admin;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

use crate::services::Services;
use frame::Request;

/// What becomes of a request.
pub(crate) enum Reply {
    /// Nothing is answered (`acks=0`).
    Nothing,
    /// The frame to send.
    Ready(Bytes),
    /// The frame once the future is done. What had to happen in the order of
    /// requests has happened already.
    Later(Pin<Box<dyn Future<Output = Result<Bytes, Refused>> + Send>>),
}

/// Why a connection is closed instead of a request answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("request of {0} bytes is too short to be one")]
    Short(usize),
    #[error("request api {api} version {version} is not offered")]
    NotOffered { api: i16, version: i16 },
    #[error("request api {api} version {version} is malformed: {what}")]
    Malformed {
        api: i16,
        version: i16,
        what: String,
    },
    #[error("cannot encode the response: {0}")]
    Encode(String),
    #[error("a produce request with acks=0 failed: {0}")]
    Unacknowledged(&'static str),
    #[error("a blocking task ended early")]
    Aborted,
}

/// Handles one request of a connection whose own address is `local`.
///
/// # Cancellation
/// Not to be cancelled half-way: an admin request goes on in the background.
pub(crate) async fn handle(
    services: &Arc<Services>,
    local: SocketAddr,
    frame: Bytes,
) -> Result<Reply, Refused> {
    let mut request = Request::parse(frame)?;
    let key = ApiKey::try_from(request.api);
    if key == Ok(ApiKey::ApiVersions) && !request.is_offered() {
        return api_versions::unknown_version(&request).map(Reply::Ready);
    }
    let Ok(key) = key else {
        return Err(request.not_offered());
    };
    request.check_shape()?;
    let ready = match key {
        ApiKey::Produce => return produce::handle(services, &mut request),
        ApiKey::Fetch => return fetch::handle(services, &mut request),
        ApiKey::ApiVersions => {
            let _: ApiVersionsRequest = request.decode()?;
            api_versions::answer(&request)
        }
        ApiKey::Metadata => cluster::metadata(services, &mut request, local).await,
        ApiKey::DescribeCluster => cluster::describe(services, &mut request, local),
        ApiKey::FindCoordinator => cluster::find_coordinator(&mut request),
        ApiKey::ListOffsets => list_offsets::handle(services, &mut request).await,
        ApiKey::CreateTopics => topic_admin::create(services, &mut request).await,
        ApiKey::DeleteTopics => topic_admin::delete(services, &mut request).await,
        ApiKey::CreatePartitions => topic_admin::grow(services, &mut request).await,
        ApiKey::DeleteRecords => topic_admin::delete_records(services, &mut request).await,
        ApiKey::InitProducerId => producer_id::handle(services, &mut request).await,
        ApiKey::DescribeConfigs => configs::describe(services, &mut request),
        ApiKey::IncrementalAlterConfigs => configs::alter(services, &mut request).await,
        _ => Err(request.not_offered()),
    };
    ready.map(Reply::Ready)
}

/// Runs what blocks for longer than one write outside of the network threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Refused::Aborted)
}
