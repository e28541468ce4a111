//! Support for procedures that commit as they go (`CALL`, outside of a transaction block).

use pgrx::pg_sys;

/// Whether the procedure was called where it may end transactions.
pub fn may_commit(call: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: the server passes the call; the context of CALL is a CallContext (ExecuteCallStmt, functioncmds.c).
    unsafe {
        let context = (*call).context;
        !context.is_null()
            && (*context).type_ == pg_sys::NodeTag::T_CallContext
            && !(*context.cast::<pg_sys::CallContext>()).atomic
    }
}

/// Runs `work`, which may call [`Transactions::commit`]. To be called only where [`may_commit`] returns true.
pub fn with_transactions<T>(work: impl FnOnce(&Transactions) -> T) -> T {
    // SAFETY: the call may commit; the connection is finished below, or by the error that ends the call.
    unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC.cast_signed()) };
    let result = work(&Transactions(()));
    // SAFETY: connected above.
    unsafe { pg_sys::SPI_finish() };
    result
}

/// Permission to end transactions.
#[derive(Debug)]
pub struct Transactions(());

impl Transactions {
    /// Commits and begins a new transaction, which holds no lock and no snapshot yet.
    pub fn commit(&self) {
        // SAFETY: connected by [`with_transactions`], which alone makes this value.
        unsafe { pg_sys::SPI_commit() };
    }
}
