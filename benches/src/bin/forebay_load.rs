//! `forebay-load`: how fast is an endpoint, and is every answer true?

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser as _;
use forebay_bench::{Cancel, LoadError, Options, Progress, Report, latency_plot, report_text, run};

/// Between two lines of progress where nobody looks on.
const QUIET: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let cancel = Cancel::default();
    tokio::spawn(end_on_ctrl_c(cancel.clone()));
    let mut last_line = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let outcome = run(&options, &cancel, &mut |progress| {
        show_progress(progress, terminal, &mut last_line);
    })
    .await;
    if terminal {
        say(format_args!("\r\x1b[K"));
    }
    match outcome {
        Ok(report) => finish(&options, &report),
        Err(error @ LoadError::Usage(_)) => fail(&error.to_string(), 2),
        Err(error) => fail(&error.to_string(), 1),
    }
}

async fn end_on_ctrl_c(cancel: Cancel) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    cancel.cancel();
    // Who asks twice does not want to wait for the report.
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(130);
    }
}

fn show_progress(progress: &Progress, terminal: bool, last_line: &mut Instant) {
    let line = report_text::progress_line(progress);
    if terminal {
        say(format_args!("\r\x1b[K{line}"));
    } else if last_line.elapsed() >= QUIET {
        *last_line = Instant::now();
        say(format_args!("{line}\n"));
    }
}

/// On stderr, so that the report alone is on stdout.
fn say(text: std::fmt::Arguments<'_>) {
    let mut stderr = std::io::stderr().lock();
    // Who has closed stderr does not want to know.
    stderr.write_fmt(text).and_then(|()| stderr.flush()).ok();
}

fn finish(options: &Options, report: &Report) -> ExitCode {
    let text = report_text::render(report);
    // A pipe that was closed, as by `head`, is no failure of the run.
    std::io::stdout().lock().write_all(text.as_bytes()).ok();
    let json = |path: &Path| {
        let text = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
        write(path, text + "\n")
    };
    let svg = |path: &Path| write(path, latency_plot::draw(report));
    let written = options.json.as_deref().map_or(Ok(()), json);
    let written = written.and(options.svg.as_deref().map_or(Ok(()), svg));
    if let Err(reason) = written {
        return fail(&reason, 1);
    }
    ExitCode::from(u8::from(!report.checks.passed))
}

fn write(path: &Path, text: String) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn fail(reason: &str, code: u8) -> ExitCode {
    say(format_args!("forebay-load: {reason}\n"));
    ExitCode::from(code)
}
