//! A workbook made with temporary files, where the library panics when one cannot be written to, as on a full disk. Leaves to
//! others: what is made instead.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// What panics on this thread now is caught and made up for: nobody needs to read of it.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// What was made. None: it panicked, and nothing was printed about it. Nothing that was begun may be used after that.
pub(super) fn attempt<T>(make: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                usual(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(make)).ok();
    EXPECTED.set(false);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_none_and_the_next_one_is_not_hidden() {
        assert_eq!(attempt(|| 7), Some(7));
        let failed: Option<()> = attempt(|| panic!("no space left"));
        assert_eq!(failed, None);
        assert!(!EXPECTED.get());
    }
}
