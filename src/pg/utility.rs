//! Utility commands that end transactions while they run, such as `CREATE INDEX CONCURRENTLY`: run as a command of a
//! worker, not through SPI.

use super::error::require;
use pgrx::prelude::*;
use pgrx::{PgMemoryContexts, pg_sys};
use std::ffi::CString;

/// A parsed command, in a memory context of its own that outlives the transactions of the command.
#[derive(Debug)]
pub struct UtilityCommand {
    sql: CString,
    context: pg_sys::MemoryContext,
    command: *mut pg_sys::PlannedStmt,
}

impl UtilityCommand {
    /// Parses a utility command. Raises an error unless the text is one statement that can be parsed.
    pub fn parse(sql: &str) -> Self {
        let sql = CString::new(sql).unwrap_or_default();
        // SAFETY: the context lives until this value is dropped.
        let context = unsafe {
            pg_sys::AllocSetContextCreateExtended(
                pg_sys::TopMemoryContext,
                c"socle utility command".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        };
        let mut parsed = Self { sql, context, command: std::ptr::null_mut() };
        // SAFETY: the context was created above; the parse tree is made in it.
        parsed.command = unsafe { PgMemoryContexts::For(context).switch_to(|_| planned(&parsed.sql)) };
        parsed
    }

    /// Runs the command in the current transaction, which has one active snapshot. The command ends both; afterwards
    /// another transaction is under way, with a new active snapshot. Raises an error inside a transaction block.
    pub fn run(&self) {
        // SAFETY: reads a variable of this process.
        require(unsafe { pg_sys::IsTransactionState() }, "a utility command is run in no transaction");
        // SAFETY: the parse tree lives in the context. What the command allocates has to outlive its transactions.
        // Afterwards a transaction is under way, so that its context exists.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.context);
            // Where VACUUM keeps what outlives its transactions.
            pg_sys::PortalContext = self.context;
            pg_sys::ProcessUtility(
                self.command,
                self.sql.as_ptr(),
                // The parse tree is kept as it is, for a further run.
                true,
                pg_sys::ProcessUtilityContext::PROCESS_UTILITY_TOPLEVEL,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                pg_sys::None_Receiver,
                std::ptr::null_mut(),
            );
            pg_sys::PortalContext = std::ptr::null_mut();
            pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
    }
}

impl Drop for UtilityCommand {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: created by `parse`; `run` leaves another context current, and an error makes Postgres do so.
            unsafe { pg_sys::MemoryContextDelete(self.context) };
        }
    }
}

/// A utility command in the form that the server runs, in the current memory context.
fn planned(sql: &CString) -> *mut pg_sys::PlannedStmt {
    // SAFETY: the grammar needs no transaction, and returns a list of statements.
    unsafe {
        let parsed = pg_sys::pg_parse_query(sql.as_ptr());
        let count = parsed.as_ref().map_or(0, |list| list.length);
        require(count == 1, "a utility command is not one statement");
        let raw = (*(*parsed).elements).ptr_value.cast::<pg_sys::RawStmt>();
        let mut planned = PgBox::<pg_sys::PlannedStmt>::alloc_node(pg_sys::NodeTag::T_PlannedStmt);
        planned.commandType = pg_sys::CmdType::CMD_UTILITY;
        planned.canSetTag = true;
        planned.utilityStmt = (*raw).stmt;
        planned.stmt_location = -1;
        planned.into_pg()
    }
}
