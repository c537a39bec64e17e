//! Settings that are fine each by itself but do not fit each other.

use std::collections::HashSet;

use super::{BrokerConfig, Config, ConfigError};

/// # Errors
/// [`ConfigError::Together`] naming the keys.
pub(super) fn validate(config: &Config) -> Result<(), ConfigError> {
    let refuse = |reason: String| Err(ConfigError::Together(reason));
    let mut ids = HashSet::new();
    for instance in &config.instances {
        if !ids.insert(&instance.id) {
            return refuse(format!(
                "two [[instance]] blocks have the id `{}`; give each its own",
                instance.id
            ));
        }
    }
    if !config.instances.is_empty() && config.broker != BrokerConfig::default() {
        return refuse(
            "`broker.listen` and `broker.fsync` are the embedded broker's, which is not started \
             when an instance is given; remove one or the other"
                .to_owned(),
        );
    }
    let same_port = config.http.listen.port() != 0 && config.http.listen == config.admin.listen;
    if same_port {
        return refuse(format!(
            "`http.listen` and `admin.listen` are both {}",
            config.http.listen
        ));
    }
    Ok(())
}
