//! A memory reserve. Rust aborts the process when an allocation fails, and the crash of a process of Postgres ends all
//! sessions. Large allocations are checked first (see [`socle_core::memory`]) and become an error; not all small ones
//! can be. When one of them fails, the reserve is freed for it, and the work ends with an error at the next check: see
//! [`restock`].

use socle_core::{Result, memory};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Never touched, so it takes address space only, and counts where the kernel does not overcommit memory: sessions that
/// do not use socle have none.
const RESERVE: Layout = match Layout::from_size_align(1 << 20, 16) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// Largest allocation that the reserve is freed for, in bytes.
const LARGEST: usize = RESERVE.size() / 4;

static KEPT: AtomicPtr<u8> = AtomicPtr::new(null_mut());

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

struct Allocator;

// SAFETY: forwards everything to the system allocator.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the same.
        again_without_reserve(layout.size(), || unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        again_without_reserve(layout.size(), || unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; where it fails, the block is unchanged.
        again_without_reserve(size, || unsafe { System.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }
}

fn again_without_reserve(size: usize, allocate: impl Fn() -> *mut u8) -> *mut u8 {
    let block = allocate();
    if !block.is_null() || size > LARGEST {
        return block;
    }
    let reserve = KEPT.swap(null_mut(), Ordering::Relaxed);
    if reserve.is_null() {
        return null_mut();
    }
    // SAFETY: allocated by [`restock`] with this layout, and removed from where it was kept.
    unsafe { System.dealloc(reserve, RESERVE) };
    allocate()
}

/// Allocates the reserve, unless there is one.
///
/// # Errors
/// `OutOfMemory` when it was used, and there is still no memory.
pub fn restock() -> Result<()> {
    if !KEPT.load(Ordering::Relaxed).is_null() {
        return Ok(());
    }
    // SAFETY: the layout is not empty.
    let reserve = unsafe { System.alloc(RESERVE) };
    if reserve.is_null() {
        return Err(memory::exhausted(RESERVE.size()));
    }
    let other = KEPT.swap(reserve, Ordering::Relaxed);
    if !other.is_null() {
        // SAFETY: allocated here with this layout, by another thread meanwhile.
        unsafe { System.dealloc(other, RESERVE) };
    }
    Ok(())
}
