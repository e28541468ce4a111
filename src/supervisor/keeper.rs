//! Keeps one program running: starts it, and starts it again after a pause when it has died.

use super::child::{Child, Ended};
use super::program::Program;
use super::{Library, NAME, TICK};
use crate::pg::backend;
use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Milliseconds before each further attempt after a child that never became ready. Nothing changes by itself then, so
/// attempts are few.
const START_BACKOFF: [u64; 3] = [2_000, 5_000, 10_000];

/// Milliseconds before each restart of a child that was ready and died. The first one is immediate: a session is
/// waiting.
const CRASH_BACKOFF: [u64; 6] = [0, 0, 100, 200, 500, 1_000];

/// A child that lived this long before it died resets the back-off.
const HEALTHY: Duration = Duration::from_secs(10);

/// A session that asked within this time before a child exited of its own accord still waits for one: it asks again
/// several times in this time.
const STILL_WAITING: Duration = Duration::from_secs(1);

/// A program and its process, if there is one.
#[derive(Debug)]
pub struct Keeper {
    program: &'static Program,
    child: Option<Child>,
    /// When a session last asked for a program that is started on demand, or it died; `None` when it is not to be started.
    wanted: Option<Instant>,
    started: u32,
    /// Number of children that were ready and died.
    deaths: u32,
    /// Number of children in a row that never became ready.
    failed_starts: usize,
    /// Number of children in a row that became ready and died young.
    crashes: usize,
    next_start: Option<Instant>,
}

impl Keeper {
    /// Without a process, and without the reason of a failure under an earlier supervisor.
    pub fn new(program: &'static Program) -> Self {
        let keeper = Self {
            program,
            child: None,
            wanted: None,
            started: 0,
            deaths: 0,
            failed_starts: 0,
            crashes: 0,
            next_start: None,
        };
        keeper.explain(None);
        keeper
    }

    /// Has the program started if it does not run, though it is one that is started on demand.
    pub fn want(&mut self) {
        self.wanted = Some(Instant::now());
    }

    /// The socket that becomes readable when [`Self::look`] has something to do.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.child.as_ref().map(Child::socket)
    }

    /// Whether the program is to be started now.
    pub fn is_due(&self) -> bool {
        self.until_due().is_zero()
    }

    /// Time until there is something to do without a message.
    pub fn until_due(&self) -> Duration {
        if self.child.is_some() || self.program.is_on_demand() && self.wanted.is_none() {
            return TICK;
        }
        self.next_start.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()).min(TICK))
    }

    /// Starts the program.
    pub fn start(&mut self) {
        // One that is started on demand ends on purpose again and again, which is no restart.
        let restart_count = if self.program.is_on_demand() { self.deaths } else { self.started };
        match Child::start(self.program, restart_count) {
            Ok(child) => {
                self.started += 1;
                self.child = Some(child);
            }
            Err(error) => self.failed_start(&error.to_string()),
        }
    }

    /// Reads what the child has sent, and notices when it has ended.
    pub fn look(&mut self, library: &Library) {
        let Some(mut child) = self.child.take() else { return };
        if let Some(ended) = child.look() {
            return self.ended(&child, &ended, library);
        }
        if child.is_ready() && self.failed_starts > 0 {
            self.failed_starts = 0;
            self.explain(None);
        }
        self.child = Some(child);
    }

    /// Applies changed settings, and tries again where a setting may have kept the program from starting.
    pub fn reload(&mut self) {
        self.next_start = None;
        if self.program.is_on_demand() && self.child.is_none() {
            // The next session waits for the next attempt.
            self.explain(None);
        }
        if let Some(child) = &mut self.child {
            child.restart_if_changed();
        }
    }

    /// Tells the child to end with the server.
    pub fn begin_stop(&self) {
        if let Some(child) = &self.child {
            child.begin_stop();
        }
    }

    /// Ends the child, which was told to.
    pub fn end_stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.end_stop();
        }
    }

    fn ended(&mut self, child: &Child, ended: &Ended, library: &Library) {
        let reason = ended.describe(self.program);
        match ended {
            Ended::OtherVersion if backend::is_preloaded() => {
                let reason =
                    format!("{reason}: the server has loaded the library at its start and has to be restarted");
                return self.failed_start(&reason);
            }
            Ended::OtherVersion if library.was_replaced() => {
                self.next_start = None;
                return;
            }
            Ended::OnPurpose => {
                self.next_start = None;
                self.wanted = self.wanted.filter(|at| at.elapsed() < STILL_WAITING);
                return;
            }
            _ => {}
        }
        if !child.is_ready() {
            // Killed while it started: once is no sign that the next one fails as well, and sessions are waiting.
            if self.failed_starts == 0 && ended.is_by_signal() {
                self.failed_starts = 1;
                self.next_start = None;
                pgrx::log!("{NAME}: {reason} before it was ready; starting another");
                return;
            }
            return self.failed_start(&reason);
        }
        if child.age() > HEALTHY {
            self.crashes = 0;
        }
        let delay = CRASH_BACKOFF[self.crashes.min(CRASH_BACKOFF.len() - 1)];
        self.crashes += 1;
        self.deaths += 1;
        self.next_start = Some(Instant::now() + Duration::from_millis(delay));
        self.want();
        pgrx::log!("{NAME}: {reason}; starting another in {delay} ms");
    }

    fn failed_start(&mut self, reason: &str) {
        let delay = START_BACKOFF[self.failed_starts.min(START_BACKOFF.len() - 1)];
        self.failed_starts += 1;
        self.next_start = Some(Instant::now() + Duration::from_millis(delay));
        // One that is started on demand is tried again when a session asks again.
        self.wanted = None;
        self.explain(Some(reason));
        // Logs the 1st, 2nd, 4th, 8th … failure, not one every ten seconds for ever.
        if self.failed_starts.is_power_of_two() {
            pgrx::log!("{NAME}: the {} does not start: {reason}; attempt {}", self.program.name, self.failed_starts);
        }
    }

    /// Writes the reason why there is no process to the file that sessions read, or removes the file.
    fn explain(&self, reason: Option<&str>) {
        let file = self.program.failure_path();
        let result = match reason {
            Some(reason) => {
                // Renamed into place, so that no session reads half of it.
                let new = file.with_extension("new");
                std::fs::write(&new, reason).and_then(|()| std::fs::rename(&new, &file))
            }
            None => std::fs::remove_file(&file).or_else(|error| match error.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        };
        if let Err(error) = result {
            pgrx::log!("{NAME}: could not write \"{}\": {error}", file.display());
        }
    }
}
