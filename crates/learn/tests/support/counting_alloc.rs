//! Counts what this thread has allocated and not yet given back, and its largest single request.
//!
//! An allocator cannot be written without `unsafe`; this one only counts and passes on.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes on to the system's allocator unchanged. The counters are thread-local
// cells with constant initial values and no destructor, so touching them never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get().wrapping_add(layout.size()));
        LARGEST.set(LARGEST.get().max(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().wrapping_sub(layout.size()));
        unsafe { System.dealloc(at, layout) }
    }
}

/// What `make` returns, and the bytes it left allocated.
pub(crate) fn live_bytes<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    let made = make();
    (made, LIVE.get().wrapping_sub(before))
}

/// What `work` returns, and the largest single request it made.
pub(crate) fn largest_request<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = work();
    (result, LARGEST.get())
}

/// Holds a component's own count against the allocator's: within a tenth, or 512 bytes where the
/// whole is under 4 KiB.
pub(crate) fn assert_footprint(claimed: usize, seen: usize) {
    let slack = if seen < 4096 { 512 } else { seen / 10 };
    let apart = claimed.abs_diff(seen);
    assert!(apart <= slack, "footprint_bytes says {claimed}, the allocator saw {seen}");
}

/// No single request may be out of proportion to the bytes that are being read.
pub(crate) fn assert_modest(request: usize, state_bytes: usize, footprint: usize) {
    let most = (1 << 20) + 64 * state_bytes + 2 * footprint;
    assert!(request <= most, "{request} bytes at once for a state of {state_bytes}");
}
