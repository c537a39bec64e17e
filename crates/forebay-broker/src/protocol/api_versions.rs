//! ApiVersions (KIP-35): what this broker offers.

use bytes::Bytes;
use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::api_versions_response::ApiVersion;

use super::Refused;
use super::error_code::UNSUPPORTED_VERSION;
use super::frame::{self, Request};
use super::frame_shape::OFFERED;

fn offered() -> Vec<ApiVersion> {
    let row = |key: i16, min: i16, max: i16| {
        ApiVersion::default()
            .with_api_key(key)
            .with_min_version(min)
            .with_max_version(max)
    };
    OFFERED
        .iter()
        .map(|api| row(api.key, api.min, api.max))
        .collect()
}

pub(super) fn answer(request: &Request) -> Result<Bytes, Refused> {
    request.respond(&ApiVersionsResponse::default().with_api_keys(offered()))
}

/// A version from the future is answered in version 0, which every client can
/// read, with the versions it may ask in.
pub(super) fn unknown_version(request: &Request) -> Result<Bytes, Refused> {
    let response = ApiVersionsResponse::default()
        .with_error_code(UNSUPPORTED_VERSION)
        .with_api_keys(offered());
    frame::encode(request.correlation_id, &response, 0)
}
