//! Requests that only a partition's leader, or the controller, can answer.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    Error,
    cluster::Cluster,
    connection::{Request, Throttling},
    metadata::Broker,
    pool::Purpose,
};

/// Pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

impl Cluster {
    /// Asks the leader, again while its answer or the lack of one says that
    /// another may lead, until about connect + 2 × request timeout + `wait`
    /// have passed. `wait` is how long the broker may take on purpose.
    pub(crate) async fn ask_leader<R, T>(
        &self,
        (topic, partition): (&str, i32),
        purpose: Purpose,
        request: &R,
        wait: Duration,
        accept: impl Fn(R::Answer) -> Result<T, Error> + Send + Sync,
    ) -> Result<T, Error>
    where
        R: Request,
        R::Answer: Throttling,
    {
        let mut patience = Patience::new(self, wait);
        loop {
            let attempt = async {
                let leader = self.leader(topic, partition).await?;
                self.pool()
                    .request(&leader.address(), purpose, request, patience.limit)
                    .await
            };
            let result = patience.wait_for(attempt).await.and_then(&accept);
            match result {
                Err(error) if patience.allows_another(&error) => self.invalidate(topic),
                result => return result,
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks the controller, again while it has moved or cannot be reached.
    /// `accept` is told whether an earlier attempt may have succeeded.
    pub(crate) async fn ask_controller<R, T>(
        &self,
        request: &R,
        wait: Duration,
        accept: impl Fn(R::Answer, bool) -> Result<T, Error> + Send + Sync,
    ) -> Result<T, Error>
    where
        R: Request,
        R::Answer: Throttling,
    {
        let mut patience = Patience::new(self, wait);
        let mut maybe_done = false;
        loop {
            let attempt = async {
                let address = self.controller().await?.address();
                self.pool()
                    .request(&address, Purpose::Control, request, patience.limit)
                    .await
            };
            let answer = patience.wait_for(attempt).await;
            match answer.and_then(|answer| accept(answer, maybe_done)) {
                Err(error) if patience.allows_another(&error) => {
                    maybe_done |= error.may_have_been_done();
                    // Whoever is asked for brokers also says who the controller is.
                    self.metadata().forget_controller();
                }
                // That the last attempt came to nothing says nothing of the first.
                Err(error) if maybe_done && error.is_retriable() => {
                    return Err(match error.may_have_been_done() {
                        true => error,
                        false => Error::Timeout {
                            what: "the controller",
                            after: patience.started.elapsed(),
                        },
                    });
                }
                result => return result,
            }
            sleep(PAUSE).await;
        }
    }

    async fn controller(&self) -> Result<Broker, Error> {
        if let Some(controller) = self.metadata().controller() {
            return Ok(controller);
        }
        self.metadata().refresh_brokers(self.pool()).await?;
        let controller = self.metadata().controller();
        controller.ok_or_else(|| Error::protocol("the cluster names no controller"))
    }
}

/// How long a call goes on trying.
struct Patience {
    started: Instant,
    deadline: Instant,
    /// For one answer.
    limit: Duration,
    last: Option<Error>,
}

impl Patience {
    fn new(cluster: &Cluster, wait: Duration) -> Self {
        let config = cluster.config();
        let started = Instant::now();
        let deadline = started + config.connect_timeout + 2 * config.request_timeout + wait;
        Self {
            started,
            deadline,
            limit: config.request_timeout + wait,
            last: None,
        }
    }

    async fn wait_for<T>(
        &self,
        attempt: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        timeout_at(self.deadline, attempt)
            .await
            .unwrap_or_else(|_| {
                let after = self.started.elapsed();
                Err(self.last.clone().unwrap_or(Error::Timeout {
                    what: "the broker",
                    after,
                }))
            })
    }

    fn allows_another(&mut self, error: &Error) -> bool {
        self.last = Some(error.clone());
        // If the cluster could not even be asked for its brokers, time was
        // taken for that already.
        error.is_retriable()
            && !matches!(error, Error::Unreachable(_))
            && Instant::now() + PAUSE < self.deadline
    }
}
