//! The configuration in force, as TOML.

use std::fmt::Write as _;

use forebay_engine::Codec;

use super::Config;
use super::settings::SETTINGS;

/// TOML that, as a `--config` file, gives this configuration again. There is
/// no secret in it: secrets live in the credentials file only.
pub fn show(config: &Config) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in &SETTINGS {
        let (in_section, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if in_section != section {
            section = in_section;
            line(&mut text, format_args!("\n[{section}]"));
        }
        let value = (setting.show)(config);
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
    }
    if let (true, Some(codec)) = (config.instances.is_empty(), config.embedded_compression) {
        line(&mut text, format_args!("\n[[instance]]"));
        line(&mut text, format_args!("compression = \"{codec}\""));
    }
    text
}

fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    writeln!(text, "{args}").expect("writing to a String cannot fail");
}
