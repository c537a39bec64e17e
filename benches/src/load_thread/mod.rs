//! A thread that makes load: its event loop.

mod connecting;
mod measuring;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Token};
use tokio::sync::mpsc::UnboundedSender;

use crate::answer_check::AnswerCheck;
use crate::arrivals::Arrivals;
use crate::clock::WallClock;
use crate::connection::{Connection, Flight, Received, State};
use crate::http_head::Head;
use crate::phase::{FromThread, Pace, PhasePlan, PhaseResult, ThreadEnd, ThreadSettings};
use crate::request_pool::RequestPool;
use crate::tally::Tally;
use crate::waiter::Waiter;
use measuring::Measuring;

/// Whether the run was ended is looked at this often.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// For what is due: a wake-up costs more than a request, so at high rates
/// those due within this time go together, the first one that much late.
const SHORTEST_WAIT: Duration = Duration::from_micros(100);
/// For what was due before the end and waits for a connection.
const LATE_SENDING: Duration = Duration::from_secs(2);
/// For answers that are still to come when a run was ended by hand.
const PATIENCE_WHEN_CANCELLED: Duration = Duration::from_secs(5);
/// An answer to 100 messages has 6 KiB.
const SCRATCH: usize = 128 << 10;

pub(crate) struct LoadThread {
    settings: ThreadSettings,
    waiter: Waiter,
    scratch: Vec<u8>,
    /// First those of the load, then the idle ones.
    connections: Vec<Connection>,
    /// Open connections without a request; some may have been lost meanwhile.
    free: VecDeque<usize>,
    /// Lost connections, and when they are made anew.
    lost: VecDeque<(Instant, usize)>,
    in_flight: usize,
    pool: RequestPool,
    check: AnswerCheck,
    tally: Tally,
    clock: WallClock,
    measuring: Measuring,
    /// Open loop, while there is a phase.
    arrivals: Option<Arrivals>,
    /// Whether requests are sent.
    sending: bool,
    out: UnboundedSender<FromThread>,
}

impl LoadThread {
    pub(crate) fn new(
        settings: ThreadSettings,
        pool: RequestPool,
        check: AnswerCheck,
        out: UnboundedSender<FromThread>,
    ) -> io::Result<Self> {
        let count = settings.connections + settings.idle;
        Ok(Self {
            waiter: Waiter::new()?,
            scratch: vec![0; SCRATCH],
            connections: (0..count).map(|_| Connection::new()).collect(),
            free: VecDeque::new(),
            lost: VecDeque::new(),
            in_flight: 0,
            pool,
            check,
            tally: Tally::default(),
            clock: WallClock::now(),
            measuring: Measuring::none(),
            arrivals: None,
            sending: false,
            settings,
            out,
        })
    }

    /// Connects, works through the phases, and ends when there are no more.
    ///
    /// # Errors
    /// If not all connections of the load can be made, or the event queue fails.
    pub(crate) fn run(mut self, phases: &Receiver<PhasePlan>) -> Result<(), String> {
        self.connect_all()?;
        self.tell(FromThread::Ready);
        while let Ok(plan) = phases.recv() {
            let result = self.phase(plan).map_err(|error| error.to_string())?;
            self.tell(FromThread::PhaseDone(Box::new(result)));
        }
        let idle_open = self.idle_open();
        let end = ThreadEnd {
            topics: self.check.topics(),
            pages: self.check.take_all_pages(),
            idle_open,
            tally: std::mem::take(&mut self.tally),
        };
        self.tell(FromThread::Ended(Box::new(end)));
        Ok(())
    }

    fn tell(&self, what: FromThread) {
        // A conductor that is gone has given the run up.
        self.out.send(what).ok();
    }

    fn cancelled(&self) -> bool {
        self.settings.cancelled.load(Ordering::Relaxed)
    }

    fn phase(&mut self, plan: PhasePlan) -> io::Result<PhaseResult> {
        let (share, shares) = self.settings.share;
        self.measuring = Measuring::new(plan);
        self.arrivals = match plan.pace {
            Pace::Closed => None,
            Pace::Open { rate, backlog } => {
                let backlog = backlog.div_ceil(shares);
                let (share, shares) = (share as f64, shares as f64);
                let (rate, offset) = (rate / shares, share / shares);
                Some(Arrivals::new(plan.start, plan.end, rate, offset, backlog))
            }
        };
        self.sending = true;
        let mut send_until = plan.end + LATE_SENDING;
        let mut give_up_at = send_until + self.settings.timeout + LONGEST_WAIT;
        loop {
            let now = Instant::now();
            if self.sending && self.cancelled() {
                self.measuring.end_now(now);
                send_until = now;
                give_up_at = now + PATIENCE_WHEN_CANCELLED.min(self.settings.timeout);
            }
            let over = self.pass_time(now);
            if over && (self.arrivals.is_none() || now >= send_until) {
                self.sending = false;
            }
            if now >= plan.start && self.sending {
                self.issue(now);
            }
            // What was due before the end is sent, even if it had to wait.
            if over && self.arrivals.as_ref().is_none_or(|all| all.waiting() == 0) {
                self.sending = false;
            }
            if !self.sending && (self.in_flight == 0 || now >= give_up_at) {
                break;
            }
            self.waiter.wait(self.until_next(now))?;
            self.handle_events();
        }
        Ok(self.finish_phase())
    }

    /// Does what the time asks for; whether the window has ended.
    fn pass_time(&mut self, now: Instant) -> bool {
        let over = self.measuring.pass_time(now);
        if self.measuring.tick_due(now) {
            self.give_up_late_ones(now);
            let mut tick = self.measuring.take_tick(now);
            tick.pages = self.check.take_pages();
            self.tell(FromThread::Tick(Box::new(tick)));
        }
        while let Some((when, index)) = self.lost.front().copied()
            && when <= now
        {
            self.lost.pop_front();
            self.connect(index, now);
        }
        over
    }

    fn give_up_late_ones(&mut self, now: Instant) {
        for index in 0..self.connections.len() {
            let flight = self.connections[index].flight;
            if flight.is_some_and(|flight| now - flight.sent > self.settings.timeout) {
                self.lose(index, "no answer in time", now);
            }
        }
    }

    /// How long there is nothing to do, unless something comes.
    fn until_next(&self, now: Instant) -> Duration {
        let mut next = now + LONGEST_WAIT;
        next = next.min(self.measuring.next_edge(now));
        if let Some((when, _)) = self.lost.front() {
            next = next.min(*when);
        }
        if let Some(due) = self.arrivals.as_ref().and_then(Arrivals::next_due)
            && self.sending
            && !self.free.is_empty()
        {
            next = next.min(due.max(now + SHORTEST_WAIT));
        }
        next.saturating_duration_since(now)
    }

    /// Sends what is due on connections that are free.
    fn issue(&mut self, now: Instant) {
        let Some(arrivals) = &mut self.arrivals else {
            while let Some(index) = self.take_free() {
                self.send(index, now, now);
            }
            return;
        };
        let nothing_waited = arrivals.waiting() == 0;
        arrivals.advance(now);
        while self
            .arrivals
            .as_ref()
            .is_some_and(|arrivals| arrivals.waiting() > 0)
        {
            let Some(index) = self.take_free() else { break };
            let Some(due) = self.arrivals.as_mut().and_then(Arrivals::take) else {
                break;
            };
            if nothing_waited {
                self.measuring.note_lag(due, now);
            }
            self.send(index, due, now);
        }
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.note_waiting();
        }
    }

    fn take_free(&mut self) -> Option<usize> {
        while let Some(index) = self.free.pop_front() {
            let one = &self.connections[index];
            if one.state == State::Open && one.flight.is_none() {
                return Some(index);
            }
        }
        None
    }

    fn send(&mut self, index: usize, due: Instant, now: Instant) {
        let request = self.pool.next(self.clock.unix_seconds(now));
        let flight = Flight {
            due,
            sent: now,
            task: request.task,
        };
        self.tally.requests += 1;
        self.in_flight += 1;
        if let Err(error) = self.connections[index].send(&request.bytes, flight) {
            self.lose(index, &error.to_string(), now);
        }
    }

    fn handle_events(&mut self) {
        let events = std::mem::replace(&mut self.waiter.events, Events::with_capacity(0));
        for event in &events {
            if Waiter::is_connection(event.token()) {
                self.handle(event);
            }
        }
        self.waiter.events = events;
    }

    fn handle(&mut self, event: &Event) {
        let Token(index) = event.token();
        match self.connections[index].state {
            State::Closed => {}
            State::Connecting => match self.connections[index].finish_connecting() {
                Ok(false) => {}
                Ok(true) => self.opened(index),
                Err(error) => self.lose(index, &error.to_string(), Instant::now()),
            },
            State::Open => self.exchange(index, event),
        }
    }

    fn exchange(&mut self, index: usize, event: &Event) {
        if event.is_writable()
            && let Err(error) = self.connections[index].flush()
        {
            return self.lose(index, &error.to_string(), Instant::now());
        }
        let closing = event.is_read_closed() || event.is_error();
        if !event.is_readable() && !closing {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let received = self.connections[index].receive(&mut scratch, closing);
        let now = Instant::now();
        match received {
            Ok(Received::Pending) => {}
            Ok(Received::Answer { head, in_scratch }) => {
                let body = self.connections[index].body(&scratch, &head, in_scratch);
                if let Some(flight) = self.connections[index].flight {
                    let status = head.status;
                    let acked = self
                        .check
                        .take_in(flight.task, status, body, &mut self.tally);
                    self.in_flight -= 1;
                    let whole = acked == self.settings.messages;
                    self.measuring.note_answer(&flight, now, acked, whole);
                }
                self.answered(index, head, closing, now);
            }
            Err(error) => self.lose(index, &describe(&error), now),
        }
        self.scratch = scratch;
    }

    fn answered(&mut self, index: usize, head: Head, closing: bool, now: Instant) {
        self.connections[index].clear();
        let is_load = index < self.settings.connections;
        if head.close || closing {
            self.connections[index].close();
            if is_load {
                self.connect(index, now);
            }
        } else if is_load {
            self.free.push_back(index);
        }
        if self.sending && is_load {
            self.issue(now);
        }
    }

    fn finish_phase(&mut self) -> PhaseResult {
        let now = Instant::now();
        for index in 0..self.connections.len() {
            if self.connections[index].flight.is_some() {
                self.lose(index, "no answer when the run ended", now);
            }
        }
        let mut tick = self.measuring.take_tick(now);
        tick.pages = self.check.take_pages();
        self.tell(FromThread::Tick(Box::new(tick)));
        let arrivals = self.arrivals.take();
        std::mem::replace(&mut self.measuring, Measuring::none()).finish(arrivals, now)
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "closed by the other side".to_owned(),
        _ => error.to_string(),
    }
}
