//! Loads under way: whoever asks for the same thing meanwhile waits for the same one.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use super::Key;
use crate::{answer::Answer, kept::Kept};

/// None is a load that failed.
type Flight = Arc<OnceCell<Option<Arc<Kept<Answer>>>>>;

#[derive(Debug, Default)]
pub struct Flights(Mutex<HashMap<Key, Flight>>);

/// Somebody's place in a flight. The flight is forgotten with its last one, or once it has landed.
pub struct Seat<'a> {
    flights: &'a Flights,
    key: &'a Key,
    flight: Flight,
}

impl Flights {
    /// A place in the flight for this key: the one under way, or a new one.
    pub fn board<'a>(&'a self, key: &'a Key) -> Seat<'a> {
        let mut all = self.lock();
        let under_way = all.get(key).filter(|flight| !flight.initialized()).cloned();
        let flight = under_way.unwrap_or_else(|| {
            let new = Flight::default();
            all.insert(key.clone(), Arc::clone(&new));
            new
        });
        Seat {
            flights: self,
            key,
            flight,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    /// Loads, or waits for whoever does. If that one is dropped, the next of those who wait loads with its own
    /// `load`.
    pub async fn land(
        &self,
        load: impl Future<Output = Option<Arc<Kept<Answer>>>>,
    ) -> Option<Arc<Kept<Answer>>> {
        self.flight.get_or_init(|| load).await.clone()
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut all = self.flights.lock();
        let mine = |flight: &Flight| Arc::ptr_eq(flight, &self.flight);
        // One is the map's, one is this.
        let over = self.flight.initialized() || Arc::strong_count(&self.flight) <= 2;
        if over && all.get(self.key).is_some_and(mine) {
            all.remove(self.key);
        }
    }
}
