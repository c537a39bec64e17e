//! The files that the configuration names: one way of reading them, for a start
//! and for `forebay config check`, so that the check cannot promise what the
//! start does not keep.

use forebay_engine::security::{SaslMechanism, Security};

use crate::config::{Config, InstanceConfig, TlsFiles};
use crate::credentials::CredentialStore;
use crate::startup::StartError;
use crate::tls::{TlsError, WatchedCertificates};

/// What protects connections, read and found to be right.
pub(crate) struct Protection {
    /// Of the API's listener; `None` serves in the clear.
    pub(crate) api: Option<WatchedCertificates>,
    /// Of the admin listener.
    pub(crate) admin: Option<WatchedCertificates>,
    /// Towards Kafka, in the order of [`Config::instances`].
    pub(crate) instances: Vec<Security>,
}

impl Protection {
    /// Reads certificates, keys, authorities and passwords, so that a wrong path
    /// stops the start, not the first message. Has to be called within a Tokio
    /// runtime.
    ///
    /// # Errors
    /// [`StartError::Tls`] and [`StartError::Security`], which name the file and
    /// hold nothing of its content.
    pub(crate) async fn open(config: &Config) -> Result<Self, StartError> {
        let api = certificates("http.tls", "api", config.http.tls.as_ref())?;
        let admin = certificates("admin.tls", "admin", config.admin.tls.as_ref())?;
        let mut instances = Vec::with_capacity(config.instances.len());
        for instance in &config.instances {
            instances.push(security(instance).await?);
        }
        Ok(Self {
            api,
            admin,
            instances,
        })
    }
}

/// Reads every file that a start would read, and makes none: a credentials file
/// that a start makes may be missing. Warns of what a start would warn of.
///
/// # Errors
/// What would stop the start; see [`StartError`].
pub(crate) async fn check(config: &Config) -> Result<(), StartError> {
    let (path, made_if_missing) = config.credentials_path();
    CredentialStore::check(&path, made_if_missing)?;
    let Protection { api, admin, .. } = Protection::open(config).await?;
    for watched in [api, admin].into_iter().flatten() {
        watched.certificates().warn_of_its_end();
    }
    Ok(())
}

fn certificates(
    section: &'static str,
    listener: &'static str,
    files: Option<&TlsFiles>,
) -> Result<Option<WatchedCertificates>, TlsError> {
    files
        .map(|files| WatchedCertificates::open(section, listener, files))
        .transpose()
}

async fn security(instance: &InstanceConfig) -> Result<Security, StartError> {
    let security = Security::new(instance.tls.clone(), instance.sasl.clone());
    let checked = security.check().await;
    checked.map_err(|source| StartError::Security {
        instance: instance.id.clone(),
        source,
    })?;
    let login = instance.sasl.as_ref().map(|sasl| sasl.mechanism);
    if instance.tls.is_none() && login == Some(SaslMechanism::Plain) {
        tracing::warn!(
            instance = instance.id,
            "the password goes over the network in the clear: SASL PLAIN without instance.tls"
        );
    }
    Ok(security)
}
