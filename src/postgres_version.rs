//! What differs between the supported versions of Postgres. The only file with `cfg(feature = "pgNN")`.

use pgrx::pg_sys;
use std::ffi::CStr;
#[cfg(any(feature = "pg17", feature = "pg18"))]
use std::sync::OnceLock;

/// Installs a signal handler.
///
/// # Safety
/// The handler has to be safe to run at any instruction of this process.
pub unsafe fn set_signal_handler(signal: i32, handler: unsafe extern "C-unwind" fn(i32)) {
    #[cfg(feature = "pg18")]
    // SAFETY: the caller's guarantee.
    unsafe {
        pg_sys::pqsignal_be(signal, Some(handler))
    };
    #[cfg(not(feature = "pg18"))]
    // SAFETY: the caller's guarantee.
    unsafe {
        pg_sys::pqsignal(signal, Some(handler))
    };
}

/// Keeps a time limit of transactions, which there is from 17 on, from ending a worker.
pub fn transaction_timeout() -> Option<(&'static CStr, &'static CStr)> {
    if cfg!(any(feature = "pg17", feature = "pg18")) { Some((c"transaction_timeout", c"0")) } else { None }
}

/// The wait event under which sessions wait for the engine: `Extension: SocleEngine` from 17 on, where extensions may
/// name theirs, else `Extension: Extension`.
pub fn engine_wait_event() -> u32 {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        static EVENT: OnceLock<u32> = OnceLock::new();
        named(&EVENT, c"SocleEngine")
    }
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    pg_sys::PG_WAIT_EXTENSION
}

/// The wait event of a sync worker without work, likewise `Extension: SocleIdle`.
pub fn idle_wait_event() -> u32 {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        static EVENT: OnceLock<u32> = OnceLock::new();
        named(&EVENT, c"SocleIdle")
    }
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    pg_sys::PG_WAIT_EXTENSION
}

#[cfg(any(feature = "pg17", feature = "pg18"))]
fn named(event: &OnceLock<u32>, name: &'static CStr) -> u32 {
    // SAFETY: a session or worker attached to shared memory asks for a name that lives forever.
    *event.get_or_init(|| unsafe { pg_sys::WaitEventExtensionNew(name.as_ptr()) })
}
