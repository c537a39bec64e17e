//! InitProducerId: a new id each time; transactions are refused.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::error_code::*;
use super::frame::Request;
use super::{Refused, blocking};
use crate::services::Services;

pub(super) async fn handle(
    services: &Arc<Services>,
    request: &mut Request,
) -> Result<Bytes, Refused> {
    let init: InitProducerIdRequest = request.decode()?;
    let failed = |code| {
        InitProducerIdResponse::default()
            .with_error_code(code)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    if init.transactional_id.is_some() {
        return request.respond(&failed(UNSUPPORTED_VERSION));
    }
    let services = Arc::clone(services);
    let allocated = blocking(move || {
        services.producer_ids.allocate().inspect_err(|error| {
            services.disk.write_failed("producer ids", error);
        })
    })
    .await?;
    // A given id and epoch get a new id too, as from Apache Kafka.
    request.respond(&match allocated {
        Ok(id) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0),
        Err(_) => failed(KAFKA_STORAGE_ERROR),
    })
}
