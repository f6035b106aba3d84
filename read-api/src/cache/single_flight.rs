//! Loads in progress. Requests for the same key share one load.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

/// The result of a load; None if it failed.
type Flight<V> = Arc<OnceCell<Option<V>>>;

pub struct SingleFlight<K, V>(Mutex<HashMap<K, Flight<V>>>);

impl<K: Eq + Hash + Clone, V: Clone> SingleFlight<K, V> {
    /// The result of the load of this key that is in progress, or of `load`. None if that load failed.
    ///
    /// If the request whose load is in progress is cancelled, one of those that wait continues with its own `load`.
    pub async fn join(&self, key: &K, load: impl Future<Output = Option<V>>) -> Option<V> {
        let participant = self.participate(key);
        participant.flight.get_or_init(|| load).await.clone()
    }

    fn participate<'a>(&'a self, key: &'a K) -> Participant<'a, K, V> {
        let mut flights = self.lock();
        let in_progress = flights.get(key).filter(|flight| !flight.initialized());
        let flight = in_progress.cloned().unwrap_or_else(|| {
            let new = Flight::default();
            flights.insert(key.clone(), Arc::clone(&new));
            new
        });
        Participant {
            flights: self,
            key,
            flight,
        }
    }
}

impl<K, V> SingleFlight<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Flight<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleFlight")
    }
}

/// A request in a flight. The flight is removed when it has ended or its last request is dropped.
struct Participant<'a, K: Eq + Hash, V> {
    flights: &'a SingleFlight<K, V>,
    key: &'a K,
    flight: Flight<V>,
}

impl<K: Eq + Hash, V> Drop for Participant<'_, K, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        let is_own = |flight: &Flight<V>| Arc::ptr_eq(flight, &self.flight);
        // The map has one reference and this request the other.
        let last = Arc::strong_count(&self.flight) <= 2;
        if (last || self.flight.initialized()) && flights.get(self.key).is_some_and(is_own) {
            flights.remove(self.key);
        }
    }
}
