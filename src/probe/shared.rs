//! What is found out once and used by all sites of a run. Facts are kept for the run, failures for the round: a zone that
//! was out of reach is looked at again when its sites are.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock, PoisonError};

use tokio::sync::Mutex;

use crate::net::work;

/// Keys kept before those nobody is using are dropped: far more than a province has, and a bound all the same.
const KEYS: usize = 20_000;

/// Something that may be kept.
pub(super) trait Lasting {
    /// It is a fact, and no failure that may be over soon.
    fn lasts(&self) -> bool;
}

/// Values by name, each made once.
pub(super) struct Shared<T>(std::sync::Mutex<HashMap<String, Slot<T>>>);

struct Slot<T> {
    round: u8,
    cell: Arc<Cell<T>>,
}

/// A value, and the turn to make it.
struct Cell<T> {
    value: OnceLock<Arc<T>>,
    turn: Mutex<()>,
}

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Self { value: OnceLock::new(), turn: Mutex::default() }
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(std::sync::Mutex::new(HashMap::new()))
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<T: Lasting> Shared<T> {
    /// The value of a name. Whoever comes first in a round makes it. The others wait for that, which is no work of theirs: it
    /// takes neither their time nor their places. What this machine ran short in making is not kept: the look it is for is made
    /// again, and those of the others are to miss nothing.
    pub(super) async fn get(&self, name: &str, round: u8, make: impl Future<Output = T>) -> Arc<T> {
        let cell = self.cell(name, round);
        let _turn = work::waiting(cell.turn.lock()).await;
        if let Some(value) = cell.value.get() {
            return Arc::clone(value);
        }
        let before = work::shortages();
        let fresh = Arc::new(make.await);
        if work::shortages() > before {
            return fresh;
        }
        // Somebody may have put one there meanwhile: all must have the same.
        Arc::clone(cell.value.get_or_init(|| fresh))
    }

    /// The value, if somebody has finished making it. Nobody is waited for.
    pub(super) fn peek(&self, name: &str, round: u8) -> Option<Arc<T>> {
        self.cell(name, round).value.get().cloned()
    }

    /// Keeps a value that was made without waiting, unless another is there already.
    pub(super) fn put(&self, name: &str, round: u8, value: Arc<T>) {
        // Somebody else was faster: that value is as good.
        let _ = self.cell(name, round).value.set(value);
    }

    fn cell(&self, name: &str, round: u8) -> Arc<Cell<T>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEYS && !slots.contains_key(name) {
            slots.retain(|_, slot| Arc::strong_count(&slot.cell) > 1);
        }
        let slot = slots.entry(name.to_owned()).or_insert_with(|| Slot { round, cell: Arc::default() });
        if slot.round < round {
            if slot.cell.value.get().is_some_and(|value| !value.lasts()) {
                slot.cell = Arc::default();
            }
            slot.round = round;
        }
        Arc::clone(&slot.cell)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::work::Places;

    #[derive(Debug, PartialEq)]
    struct Value(u8, bool);

    impl Lasting for Value {
        fn lasts(&self) -> bool {
            self.1
        }
    }

    #[tokio::test]
    async fn facts_are_kept_for_the_run_and_failures_for_the_round() {
        let shared = Shared::default();
        let get = |name, round, made| shared.get(name, round, std::future::ready(made));
        assert_eq!(*get("fact", 1, Value(1, true)).await, Value(1, true));
        assert_eq!(*get("fact", 2, Value(2, true)).await, Value(1, true));
        assert_eq!(*get("failure", 1, Value(1, false)).await, Value(1, false));
        assert_eq!(*get("failure", 1, Value(2, true)).await, Value(1, false));
        assert_eq!(*get("failure", 2, Value(3, true)).await, Value(3, true));
        // Canaries are sent as in a first round while the second is under way.
        assert_eq!(*get("failure", 1, Value(4, true)).await, Value(3, true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_another_gives_its_place_back() {
        let (shared, places) = (Shared::default(), Places::new(2, 0, Duration::from_secs(1)));
        let site = |number| {
            let made = async move {
                tokio::time::sleep(Duration::from_mins(1)).await;
                Value(number, true)
            };
            work::Work::at(&places).run(shared.get("zone", 1, made))
        };
        let (first, second) = (site(1), site(2));
        assert!(!places.is_free(), "both begin with a place");
        let looking = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            places.is_free()
        };
        let (first, second, free) = tokio::join!(first, second, looking);
        assert_eq!((first.0, second.0), (1, 1));
        assert!(free, "the one that waits has none");
    }

    #[tokio::test]
    async fn what_this_machine_ran_short_in_making_serves_one_look_only() {
        let (shared, places) = (Shared::default(), Places::new(9, 0, Duration::from_secs(1)));
        let short = async {
            work::ran_short();
            Value(1, true)
        };
        let first =
            work::Work::at(&places).run(async { (shared.get("zone", 1, short).await, work::shortages()) }).await;
        assert_eq!((first.0.0, first.1), (1, 1));
        assert_eq!(shared.peek("zone", 1), None);
        // An earlier shortage of the same site is none of this value's.
        let later = work::Work::at(&places).run(async {
            work::ran_short();
            shared.get("zone", 1, std::future::ready(Value(2, true))).await
        });
        assert_eq!(later.await.0, 2);
        assert_eq!(shared.get("zone", 1, std::future::ready(Value(3, true))).await.0, 2);
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let shared = Shared::default();
        for number in 0..KEYS + 10 {
            shared.get(&number.to_string(), 1, std::future::ready(Value(0, true))).await;
        }
        assert!(shared.0.lock().unwrap().len() <= KEYS);
        assert_eq!(shared.peek(&KEYS.to_string(), 1), Some(Arc::new(Value(0, true))));
        assert_eq!(shared.peek("0", 1), None);
    }
}
