//! The configuration in force, as TOML.

use std::fmt::Write as _;

use forebay_engine::Codec;
use forebay_engine::security::{PasswordSource, TrustedRoots};

use super::instances::SYSTEM_ROOTS;
use super::settings::SETTINGS;
use super::{Config, InstanceConfig};

/// TOML that, as a `--config` file, gives this configuration again, but for
/// passwords: in their place stands a comment.
pub fn show(config: &Config) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in &SETTINGS {
        let value = (setting.show)(config);
        // The embedded broker's settings beside an instance are refused.
        let is_idle = setting.key.starts_with("broker.") && !config.instances.is_empty();
        if value.is_empty() || is_idle {
            continue;
        }
        let (in_section, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if in_section != section {
            section = in_section;
            line(&mut text, format_args!("\n[{section}]"));
        }
        let bare = value == "true" || value == "false" || value.parse::<u64>().is_ok();
        if bare {
            line(&mut text, format_args!("{name} = {value}"));
        } else {
            let quoted = toml::Value::String(value);
            line(&mut text, format_args!("{name} = {quoted}"));
        }
    }
    for instance in &config.instances {
        let brokers: toml::Value = instance.brokers.clone().into();
        line(&mut text, format_args!("\n[[instance]]"));
        line(&mut text, format_args!("id = \"{}\"", instance.id));
        line(&mut text, format_args!("brokers = {brokers}"));
        let codec = instance.compression.map_or("none", Codec::name);
        line(&mut text, format_args!("compression = \"{codec}\""));
        show_protection(&mut text, instance);
    }
    if let (true, Some(codec)) = (config.instances.is_empty(), config.embedded_compression) {
        line(&mut text, format_args!("\n[[instance]]"));
        line(&mut text, format_args!("compression = \"{codec}\""));
    }
    text
}

fn show_protection(text: &mut String, instance: &InstanceConfig) {
    let mut setting = |name: &str, value: &str| {
        let quoted = toml::Value::String(value.to_owned());
        line(text, format_args!("{name} = {quoted}"));
    };
    if let Some(tls) = &instance.tls {
        match &tls.ca {
            TrustedRoots::System => setting("tls.ca", SYSTEM_ROOTS),
            TrustedRoots::File(path) => setting("tls.ca", &path.display().to_string()),
        }
        if let Some(own) = &tls.identity {
            setting("tls.cert", &own.cert.display().to_string());
            setting("tls.key", &own.key.display().to_string());
        }
    }
    if let Some(sasl) = &instance.sasl {
        setting("sasl.mechanism", sasl.mechanism.name());
        setting("sasl.username", &sasl.username);
        match &sasl.password {
            PasswordSource::File(path) => {
                setting("sasl.password_file", &path.display().to_string());
            }
            PasswordSource::Inline(_) => {
                line(text, format_args!("# sasl.password is set, and not shown"));
            }
        }
    }
}

fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    writeln!(text, "{args}").expect("writing to a String cannot fail");
}
