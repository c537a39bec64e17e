//! Settings that are fine each by itself but do not fit each other.

use super::{Config, ConfigError};

/// # Errors
/// [`ConfigError::Together`] naming the keys.
pub(super) fn validate(config: &Config) -> Result<(), ConfigError> {
    let refuse = |reason: String| Err(ConfigError::Together(reason));
    if config.instances.len() > 1 {
        return refuse(format!(
            "{} [[instance]] blocks given, this version serves exactly one",
            config.instances.len()
        ));
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
