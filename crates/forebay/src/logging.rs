//! Log lines on stderr: stdout is for the person at the terminal.

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// actix-server tells of its workers, actix-http of each malformed request (at
/// level error, which anybody could fill a disk with). `log.level` can ask for
/// them: what is named later stands.
const QUIET: &str = "actix_server=warn,actix_http=off";

/// Installs the process's subscriber.
///
/// # Errors
/// When there is one already, or the level is not understood.
pub(crate) fn install(config: &LogConfig) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.level))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colours).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
}
