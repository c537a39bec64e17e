//! What every client command begins with.

use ureq::tls::RootCerts;

use super::api_client::ApiClient;
use super::arguments::CallerFlags;
use super::credential::find_signer;
use super::endpoint::Endpoint;
use super::error::ClientError;
use super::trust::roots;
use crate::cli::PlaceFlags;

/// What the process was started with, besides the command's own flags.
pub(super) struct Session {
    /// Flags that stood before the command.
    pub(super) earlier: PlaceFlags,
    /// The process's environment.
    pub(super) environment: Vec<(String, String)>,
}

impl Session {
    /// A client for up to `connections` calls at a time. Connects when called.
    ///
    /// # Errors
    /// An endpoint that is none, CA certificates that are none, no credentials.
    pub(super) fn client(
        self,
        caller: CallerFlags,
        connections: usize,
    ) -> Result<ApiClient, ClientError> {
        let endpoint = Endpoint::parse(&caller.endpoint)?;
        let roots = if endpoint.is_https() {
            roots(caller.cacert, &self.environment)?
        } else {
            RootCerts::from(Vec::new())
        };
        let signer = find_signer(caller.place.over(self.earlier), self.environment)?;
        Ok(ApiClient::new(endpoint, roots, signer, connections))
    }
}
