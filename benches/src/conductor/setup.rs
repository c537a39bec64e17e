//! What a run needs before it begins.

use std::net::SocketAddr;

use forebay_api::is_datahub_id;
use tokio::sync::mpsc::UnboundedSender;

use super::{Cancel, LoadError};
use crate::answer_check::AnswerCheck;
use crate::clock;
use crate::credentials::find_signer;
use crate::endpoint::Endpoint;
use crate::load_thread::LoadThread;
use crate::messages::MessageSource;
use crate::open_files;
use crate::options::{BodyForm, Options};
use crate::phase::{FromThread, PhasePlan, ThreadSettings};
use crate::request_pool::{HeadForm, RequestPool};

/// Files beside the connections: standard streams, event queues, Kafka.
const OTHER_FILES: u64 = 64;

/// Options that have been checked, and what they name.
pub(super) struct Setup<'a> {
    pub(super) options: &'a Options,
    address: SocketAddr,
    head: HeadForm,
}

impl<'a> Setup<'a> {
    /// # Errors
    /// [`LoadError::Usage`].
    pub(super) fn new(options: &'a Options) -> Result<Self, LoadError> {
        let usage = LoadError::Usage;
        let wrong = |text: &str| Err(LoadError::Usage(text.to_owned()));
        let endpoint = Endpoint::parse(&options.endpoint).map_err(usage)?;
        let needs_ids = !options.raw || options.body == BodyForm::Json;
        if let Some(odd) = options.datahub.iter().find(|id| !is_datahub_id(id))
            && needs_ids
        {
            let text = format!("--datahub {odd:?}: expected datahub- and 8 of a-z 0-9");
            return Err(LoadError::Usage(text));
        }
        if !options.raw && endpoint.path != "/" {
            return wrong("--endpoint: expected no path; it is for --raw");
        }
        if options.threads > options.connections {
            return wrong("--threads: expected no more threads than connections");
        }
        if options.duration.is_zero() || options.step.is_zero() || options.timeout.is_zero() {
            return wrong("--duration, --step and --timeout: expected more than 0s");
        }
        MessageSource::new(options, 0).map_err(usage)?;
        let wanted = u64::from(options.connections) + u64::from(options.idle) + OTHER_FILES;
        if let Some(limit) = open_files::raise_limit().filter(|limit| *limit < wanted) {
            let text =
                format!("{wanted} open files are needed, the system allows {limit} (ulimit -n)");
            return Err(LoadError::Usage(text));
        }
        let head = if options.raw && !options.sign {
            HeadForm::plain(options, &endpoint)
        } else {
            let variable = |name: &str| std::env::var(name).ok();
            let signer = find_signer(options.credentials.as_deref(), variable);
            HeadForm::Signed {
                signer: Box::new(signer.map_err(usage)?),
                host: endpoint.host.clone(),
            }
        };
        let address = endpoint.resolve().map_err(LoadError::Failed)?;
        Ok(Self {
            options,
            address,
            head,
        })
    }

    /// Threads wanted.
    pub(super) fn threads(&self) -> usize {
        usize::try_from(self.options.threads).unwrap_or(1)
    }

    /// What a thread is made of.
    pub(super) fn recruit(&self, number: usize, cancel: &Cancel) -> Recruit {
        let share = (number, self.threads());
        Recruit {
            options: self.options.clone(),
            head: self.head.clone(),
            settings: ThreadSettings {
                address: self.address,
                connections: part_of(self.options.connections, share),
                idle: part_of(self.options.idle, share),
                share,
                messages: u64::from(self.options.messages),
                timeout: self.options.timeout,
                cancelled: cancel.flag(),
            },
        }
    }
}

/// This share's part of a number: all parts together are the number.
fn part_of(count: u32, (share, shares): (usize, usize)) -> usize {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    count / shares + usize::from(share < count % shares)
}

/// A thread to be.
pub(super) struct Recruit {
    options: Options,
    head: HeadForm,
    settings: ThreadSettings,
}

impl Recruit {
    /// Makes its requests and works until there are no more phases.
    pub(super) fn work(
        self,
        phases: &std::sync::mpsc::Receiver<PhasePlan>,
        out: &UnboundedSender<FromThread>,
    ) {
        if let Err(reason) = self.try_work(phases, out) {
            // A conductor that is gone has given the run up.
            out.send(FromThread::Failed(reason)).ok();
        }
    }

    fn try_work(
        self,
        phases: &std::sync::mpsc::Receiver<PhasePlan>,
        out: &UnboundedSender<FromThread>,
    ) -> Result<(), String> {
        let Self {
            options,
            head,
            settings,
        } = self;
        let share = settings.share;
        let seed = u64::try_from(share.0).unwrap_or(0);
        let mut source = MessageSource::new(&options, seed)?;
        let now = i64::try_from(clock::unix_time().as_secs()).unwrap_or(i64::MAX);
        let pool = RequestPool::new(&options, head, &mut source, share, now);
        let check = AnswerCheck::new(&options.datahub, options.messages, options.raw);
        let thread = LoadThread::new(settings, pool, check, out.clone());
        thread.map_err(|error| error.to_string())?.run(phases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn parts_make_up_the_whole() {
        for count in [0, 1, 7, 64] {
            for shares in 1..5 {
                let sum: usize = (0..shares)
                    .map(|share| part_of(count, (share, shares)))
                    .sum();
                assert_eq!(sum, usize::try_from(count).unwrap());
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_usage() {
        for (arguments, named) in [
            ("--raw --endpoint https://a", "https"),
            ("--datahub nonsense", "datahub-"),
            (
                "--datahub datahub-aaaaaaaa --endpoint http://a/path",
                "--raw",
            ),
            ("--raw --threads 3 --connections 2", "--threads"),
            ("--raw --duration 0s", "--duration"),
            ("--raw --key-bytes 1", "--keys"),
            ("--raw --idle 4000000000", "open files"),
        ] {
            let all = format!("forebay-load {arguments}");
            let options = Options::try_parse_from(all.split_whitespace()).unwrap();
            let error = Setup::new(&options).err().unwrap();
            assert!(matches!(error, LoadError::Usage(_)), "{arguments}");
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
