//! Runs what the command line asks for, and says how it ended.

use std::io::Write as _;
use std::process::ExitCode;

use actix_rt::signal::unix::{Signal, SignalKind, signal};
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Cli, Command, ConfigAction, SettingFlags};
use crate::config::{Config, show};
use crate::{client, logging, named_files, panic_log, startup, welcome};

/// Refused or failed.
const FAILED: u8 = 1;
/// Wrong flag, environment variable or configuration file.
const USAGE: u8 = 2;

/// Runs one command to its end. `environment` is the process's.
pub fn run(cli: Cli, environment: Vec<(String, String)>) -> ExitCode {
    let outer = cli.settings;
    let configured = |flags: SettingFlags, then: fn(Config) -> ExitCode| match flags
        .over(outer.clone())
        .into_layers(environment.clone())
        .resolve()
    {
        Ok(config) => then(config),
        Err(error) => fail(USAGE, &error),
    };
    let command = match cli
        .command
        .unwrap_or(Command::Serve(SettingFlags::default()))
    {
        Command::Serve(flags) => return configured(flags, serve),
        Command::Config { action } => {
            return match action {
                ConfigAction::Check(flags) => configured(flags, check),
                ConfigAction::Show(flags) => configured(flags, |config| say(&show(&config))),
            };
        }
        Command::Send(arguments) => client::Command::Send(arguments),
        Command::Message { command } => client::Command::Message(command),
        Command::Task { command } => client::Command::Task(command),
        Command::Topic { command } => client::Command::Topic(command),
        Command::Completions { shell } => return say(&completions(shell)),
    };
    match outer.for_client() {
        Ok(place) => client::run(command, place, environment),
        Err(error) => fail(USAGE, &error),
    }
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "forebay", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Fails as the start would, with its exit code too.
fn check(config: Config) -> ExitCode {
    if let Err(error) = logging::install(&config.log) {
        return fail(FAILED, &error);
    }
    let checked = named_files::check(&config);
    match actix_rt::System::new().block_on(checked) {
        Ok(()) => say("the configuration is fine\n"),
        Err(error) => fail(FAILED, &error),
    }
}

fn serve(config: Config) -> ExitCode {
    if let Err(error) = logging::install(&config.log) {
        return fail(FAILED, &error);
    }
    panic_log::install();
    actix_rt::System::new().block_on(serve_until_signal(config))
}

async fn serve_until_signal(config: Config) -> ExitCode {
    // Before the start: a signal during it must not kill half-made state.
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(FAILED, &error),
    };
    let started = tokio::select! {
        started = startup::start(config) => started,
        // A start waits for as long as it takes, for a full disk too. What it
        // leaves behind is what a crash may leave: the next start makes up for it.
        name = signals.next() => {
            tracing::info!(signal = name, "asked to stop before the start was done");
            return ExitCode::SUCCESS;
        }
    };
    let mut running = match started {
        Ok(running) => running,
        Err(error) => return fail(FAILED, &error),
    };
    say(&welcome::text(&running));
    tokio::select! {
        name = signals.next() => tracing::info!(signal = name, "asked to stop"),
        reason = running.failed() => return fail(FAILED, &reason),
    }
    tokio::select! {
        // The log has said what the grace cut off; a stop that was asked for
        // is a success to whoever supervises the process.
        _ = running.stop() => ExitCode::SUCCESS,
        name = signals.next() => {
            tracing::warn!(signal = name, "asked again: stopping at once");
            ExitCode::from(FAILED)
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn say(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody listens any more (a closed pipe): no reason to stop serving.
        Err(_) => ExitCode::from(FAILED),
    }
}

fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    if writeln!(std::io::stderr().lock(), "forebay: {error}").is_err() {
        tracing::error!(%error, "failed");
    }
    ExitCode::from(code)
}
