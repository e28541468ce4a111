//! Timers of a PostgreSQL process (timeout.h).

use std::ffi::c_int;
use std::time::Duration;

/// Above the ids of all timeouts of Postgres itself: registration assigns the next free one.
const ANY_FREE: c_int = 1_000;

unsafe extern "C-unwind" {
    // timeout.h, for which pgrx has no bindings. They run no code of users, and end the process where there are too
    // many.
    fn RegisterTimeout(id: c_int, handler: Option<unsafe extern "C-unwind" fn()>) -> c_int;
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
}

/// A timer that calls its handler once when it is over.
#[derive(Clone, Copy, Debug)]
pub struct Timer(c_int);

impl Timer {
    /// Registers a timer, which exists until the process ends.
    ///
    /// # Safety
    /// The handler must be safe to run at any instruction of this process. The process has initialized its timers, as a
    /// worker has that is connected.
    pub unsafe fn register(handler: unsafe extern "C-unwind" fn()) -> Self {
        // SAFETY: the caller's guarantee.
        Self(unsafe { RegisterTimeout(ANY_FREE, Some(handler)) })
    }

    /// Starts the timer.
    pub fn start(self, delay: Duration) {
        // SAFETY: registered by this process.
        unsafe { enable_timeout_after(self.0, c_int::try_from(delay.as_millis()).unwrap_or(c_int::MAX)) };
    }

    /// Stops the timer, if it runs.
    pub fn stop(self) {
        // SAFETY: registered by this process.
        unsafe { disable_timeout(self.0, false) };
    }
}
