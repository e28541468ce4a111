//! The pages of a relation as they are stored: read byte by byte, and their free space overwritten.
//!
//! PostgreSQL leaves the bytes of removed rows where they were until the space is used again. Between the pointers of a page
//! and its rows nothing has a meaning, which is why full page images in WAL leave it out.

use pgrx::pg_sys;

/// Bytes of a page.
pub const PAGE_BYTES: usize = pg_sys::BLCKSZ as usize;

const SHARE: i32 = pg_sys::BUFFER_LOCK_SHARE as i32;
const EXCLUSIVE: i32 = pg_sys::BUFFER_LOCK_EXCLUSIVE as i32;

/// Where a page says that its free space begins and ends, in bytes; the header of a page is 24 bytes long.
const LOWER_AT: usize = 12;
const UPPER_AT: usize = 14;
const HEADER_BYTES: usize = 24;

/// A relation with storage, locked in ACCESS SHARE mode until it is dropped.
#[derive(Debug)]
pub struct Pages(pg_sys::Relation);

impl Pages {
    /// Opens a relation; `None` when it does not exist or has no storage. To be called inside a transaction.
    pub fn open(relation: pg_sys::Oid) -> Option<Self> {
        // SAFETY: inside a transaction; the structure lives until the relation is closed.
        unsafe {
            let opened = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock.cast_signed());
            if opened.is_null() {
                return None;
            }
            let pages = Self(opened);
            let kind = (*(*opened).rd_rel).relkind.cast_unsigned();
            b"rmit".contains(&kind).then_some(pages)
        }
    }

    /// Number of pages.
    pub fn count(&self) -> u32 {
        // SAFETY: the relation is open and has storage.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.0, pg_sys::ForkNumber::MAIN_FORKNUM) }
    }

    /// The oldest transaction whose rows, if deleted, somebody may still see.
    pub fn oldest_needed(&self) -> pg_sys::TransactionId {
        // SAFETY: the relation is open.
        unsafe { pg_sys::GetOldestNonRemovableTransactionId(self.0) }
    }

    /// Calls `visit` with a copy of each page.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8])) {
        let mut copy = vec![0_u8; PAGE_BYTES];
        for number in 0..self.count() {
            pgrx::check_for_interrupts!();
            self.with_page(number, SHARE, |buffer| copy.copy_from_slice(bytes(&buffer)));
            visit(&copy);
        }
    }

    /// Overwrites the free space of each page with zeros, durably and on standbys, too; returns the number of pages where
    /// there was something else. Nobody waits for longer than a page takes. Only for tables and B-trees.
    pub fn clear_free_space(&self) -> u64 {
        let mut cleared = 0;
        for number in 0..self.count() {
            pgrx::check_for_interrupts!();
            let used = |page: &[u8]| free_space(page).is_some_and(|free| page[free].iter().any(|byte| *byte != 0));
            if self.with_page(number, SHARE, |buffer| used(bytes(&buffer))) {
                self.with_page(number, EXCLUSIVE, |buffer| self.rewrite(&buffer));
                cleared += 1;
            }
        }
        cleared
    }

    /// Writes a page with zeros in its free space, as a full image in WAL.
    fn rewrite(&self, page: &LockedPage) {
        // SAFETY: the relation is open and the page pinned and locked by the caller. The image is a copy of the page, of
        // `PAGE_BYTES` bytes, which the end of the record writes back.
        unsafe {
            let state = pg_sys::GenericXLogStart(self.0);
            let image = pg_sys::GenericXLogRegisterBuffer(state, page.0, pg_sys::GENERIC_XLOG_FULL_IMAGE.cast_signed());
            let image = std::slice::from_raw_parts_mut(image.cast::<u8>(), PAGE_BYTES);
            if let Some(free) = free_space(image) {
                image[free].fill(0);
            }
            pg_sys::GenericXLogFinish(state);
        }
    }

    fn with_page<T>(&self, number: u32, lock: i32, work: impl FnOnce(LockedPage) -> T) -> T {
        // SAFETY: the relation is open; what is pinned and locked is released below, or by the end of the transaction after an
        // error, such as that for a page beyond the end of a table that was truncated meanwhile.
        unsafe {
            let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
            let mode = pg_sys::ReadBufferMode::RBM_NORMAL;
            let buffer = pg_sys::ReadBufferExtended(self.0, fork, number, mode, std::ptr::null_mut());
            pg_sys::LockBuffer(buffer, lock);
            let done = work(LockedPage(buffer));
            pg_sys::UnlockReleaseBuffer(buffer);
            done
        }
    }
}

/// A page that is pinned and locked.
#[derive(Debug)]
struct LockedPage(pg_sys::Buffer);

/// The bytes of a page.
fn bytes(page: &LockedPage) -> &[u8] {
    // SAFETY: a page that is pinned and locked does not move or change, and lives as long as the reference to it.
    unsafe { std::slice::from_raw_parts(pg_sys::BufferGetPage(page.0).cast::<u8>(), PAGE_BYTES) }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // After an error Postgres releases everything itself.
        if !std::thread::panicking() {
            // SAFETY: opened above, once.
            unsafe { pg_sys::relation_close(self.0, pg_sys::AccessShareLock.cast_signed()) };
        }
    }
}

/// Where the bytes of a page are that nothing points to; `None` for a page that was never used, or says what cannot be.
pub fn free_space(page: &[u8]) -> Option<std::ops::Range<usize>> {
    let at = |at: usize| usize::from(u16::from_ne_bytes([page[at], page[at + 1]]));
    let (lower, upper) = (at(LOWER_AT), at(UPPER_AT));
    (HEADER_BYTES <= lower && lower < upper && upper <= page.len()).then_some(lower..upper)
}

/// Number of row versions on a page of a table that a transaction has deleted or replaced, or was about to.
pub fn dead_rows(page: &[u8]) -> u64 {
    const NORMAL: u32 = 1;
    const XMAX_INVALID: u16 = 0x0800;
    const XMAX_LOCKS_ONLY: u16 = 0x0080;
    let lower = usize::from(u16::from_ne_bytes([page[LOWER_AT], page[LOWER_AT + 1]])).min(page.len());
    let mut dead = 0;
    for pointer in page.get(HEADER_BYTES..lower).unwrap_or_default().chunks_exact(4) {
        let pointer = u32::from_ne_bytes([pointer[0], pointer[1], pointer[2], pointer[3]]);
        let start = (pointer & 0x7fff) as usize;
        let Some(header) = page.get(start..start + 23).filter(|_| (pointer >> 15) & 3 == NORMAL) else { continue };
        let mask = u16::from_ne_bytes([header[20], header[21]]);
        let deleted_by = u32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
        dead += u64::from(deleted_by != 0 && mask & (XMAX_INVALID | XMAX_LOCKS_ONLY) == 0);
    }
    dead
}

/// Whether transaction `left` began after transaction `right`.
pub fn follows(left: pg_sys::TransactionId, right: pg_sys::TransactionId) -> bool {
    // SAFETY: compares two numbers.
    unsafe { pg_sys::TransactionIdFollows(left, right) }
}

/// The next transaction number that will be given: none that has begun has it, or a later one.
pub fn next_transaction() -> pg_sys::TransactionId {
    // SAFETY: reads shared memory under a lock.
    let next = unsafe { pg_sys::ReadNextFullTransactionId() };
    // The upper half counts how often numbers have been used up.
    pg_sys::TransactionId::from(next.value as u32)
}
