//! Background workers: their registration, their state as the process that registered them sees it, and what a worker
//! was started with.

use pgrx::{PgMemoryContexts, pg_sys};
use std::ffi::c_char;

/// A worker to be registered: it runs a function of this library.
#[derive(Debug)]
pub struct Registration(pg_sys::BackgroundWorker);

impl Registration {
    /// A worker that is attached to shared memory and connects to no database. It starts as soon as a standby can be
    /// queried, and is restarted after a crash.
    pub fn new(name: &str, function: &str) -> Self {
        let mut worker = pg_sys::BackgroundWorker {
            bgw_flags: pg_sys::BGWORKER_SHMEM_ACCESS as i32,
            bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_ConsistentState,
            bgw_restart_time: 1,
            ..Default::default()
        };
        write(&mut worker.bgw_name, name.as_bytes());
        write(&mut worker.bgw_type, name.as_bytes());
        write(&mut worker.bgw_library_name, b"$libdir/socle");
        write(&mut worker.bgw_function_name, function.as_bytes());
        Self(worker)
    }

    /// Lets the worker connect to a database. It starts once the server takes writes, and is never restarted.
    pub fn connected(mut self) -> Self {
        self.0.bgw_flags |= pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION as i32;
        self.0.bgw_start_time = pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished;
        self.0.bgw_restart_time = pg_sys::BGW_NEVER_RESTART;
        self
    }

    /// Sets the argument of the function.
    pub fn with_argument(mut self, argument: u32) -> Self {
        self.0.bgw_main_arg = pg_sys::Datum::from(argument);
        self
    }

    /// Sets the further bytes that [`my_extra`] returns in the worker.
    pub fn with_extra(mut self, extra: &[u8]) -> Self {
        write(&mut self.0.bgw_extra, extra);
        self
    }

    /// Registers the worker with the postmaster while it preloads libraries; has no effect at any other time.
    pub fn at_server_start(mut self) {
        // SAFETY: the structure is complete, and is copied.
        unsafe { pg_sys::RegisterBackgroundWorker(&mut self.0) };
    }

    /// Has the postmaster start the worker; `None` when no slot is free.
    pub fn start(mut self) -> Option<Worker> {
        let mut handle = std::ptr::null_mut();
        // SAFETY: the structure is complete, and is copied. The handle lives until it is freed.
        let registered = unsafe {
            PgMemoryContexts::TopMemoryContext
                .switch_to(|_| pg_sys::RegisterDynamicBackgroundWorker(&mut self.0, &mut handle))
        };
        // Only then there is a handle to be freed.
        registered.then(|| Worker(handle))
    }
}

/// Writes what fits into a field, and at least one zero after it.
fn write(field: &mut [c_char], bytes: &[u8]) {
    let room = field.len().saturating_sub(1);
    for (place, byte) in field.iter_mut().zip(bytes).take(room) {
        *place = byte.cast_signed();
    }
}

/// A worker that this process has registered. It goes on when this is dropped.
#[derive(Debug)]
pub struct Worker(*mut pg_sys::BackgroundWorkerHandle);

/// The state of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkerState {
    /// The postmaster has not started it yet.
    Starting,
    /// It runs as this process.
    Running(i32),
    /// It has ended, or was never started.
    Ended,
}

impl Worker {
    /// The current state.
    pub fn state(&self) -> WorkerState {
        let mut pid = 0;
        // SAFETY: the handle was returned by the registration, and is freed only when it is dropped.
        match unsafe { pg_sys::GetBackgroundWorkerPid(self.0, &mut pid) } {
            pg_sys::BgwHandleStatus::BGWH_STARTED => WorkerState::Running(pid),
            pg_sys::BgwHandleStatus::BGWH_NOT_YET_STARTED => WorkerState::Starting,
            _ => WorkerState::Ended,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: allocated by the registration in a context that lives as long as the process, and not used again.
            unsafe { pg_sys::pfree(self.0.cast()) };
        }
    }
}

/// The first bytes of those that this worker was registered with; `None` in a process that is no background worker.
pub fn my_extra<const COUNT: usize>() -> Option<[u8; COUNT]> {
    // SAFETY: set at the start of a background worker, and not changed.
    let worker = unsafe { pg_sys::MyBgworkerEntry.as_ref() }?;
    let mut bytes = [0; COUNT];
    for (place, byte) in bytes.iter_mut().zip(worker.bgw_extra) {
        *place = byte.cast_unsigned();
    }
    Some(bytes)
}
