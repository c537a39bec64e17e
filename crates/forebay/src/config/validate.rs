//! Settings that are fine each by itself but do not fit each other.

use std::collections::HashSet;
use std::path::Path;

use super::{Config, ConfigError, Origin};

/// `broker` is where a setting of the embedded broker was found.
///
/// # Errors
/// [`ConfigError::Together`] naming the keys.
pub(super) fn validate(config: &Config, broker: Option<&Origin>) -> Result<(), ConfigError> {
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
    if let (false, Some(origin)) = (config.instances.is_empty(), broker) {
        return refuse(format!(
            "`broker.listen` and `broker.fsync` ({origin}) are the embedded broker's, which is \
             not started when an instance is given; remove one or the other"
        ));
    }
    for (section, tls) in [
        ("http.tls", &config.http.tls),
        ("admin.tls", &config.admin.tls),
    ] {
        if let Some(tls) = tls
            && let Some((given, missing)) = match (is_set(&tls.cert), is_set(&tls.key)) {
                (true, false) => Some(("cert", "key")),
                (false, true) => Some(("key", "cert")),
                _ => None,
            }
        {
            return refuse(format!(
                "`{section}.{given}` is given and `{section}.{missing}` is not; TLS needs both"
            ));
        }
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

fn is_set(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}
