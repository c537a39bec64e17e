//! What a report was measured on.

use std::fs;

use serde::Serialize;

/// The machine that the load came from.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Empty if unknown.
    pub cpu_model: String,
    /// Memory in bytes; 0 if unknown.
    pub memory_bytes: u64,
    /// `Linux` and its version; else the system's name.
    pub kernel: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
        let release = read("/proc/sys/kernel/osrelease");
        let kernel = match release.trim() {
            "" => std::env::consts::OS.to_owned(),
            release => format!("Linux {release}"),
        };
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_model: field(&read("/proc/cpuinfo"), "model name"),
            memory_bytes: kib * 1024,
            kernel,
        }
    }
}
