//! Whose password is hashed next. Sign-up and sign-in have queues of their own, which take turns, so that neither keeps the other
//! waiting. In a queue, clients take turns, however many of their requests wait: one that sends many waits for itself.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::Busy;
use crate::client::Client;

/// How many may wait in a queue, and for how long. Beyond that it is an attack or an overload.
const MAX_WAITING: usize = 128;
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    SignUp,
    /// Also for changing the password.
    SignIn,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Turns(Arc<Mutex<State>>);

struct State {
    /// How many hashes may still be started.
    free: u32,
    sign_up: FairQueue,
    sign_in: FairQueue,
    /// Which queue is next if somebody waits in both.
    next: Queue,
    tickets: u64,
}

#[derive(Default)]
struct FairQueue {
    /// No client without waiting requests.
    clients: HashMap<Client, VecDeque<Waiting>>,
    /// The order in which clients take turns.
    order: VecDeque<Client>,
    count: usize,
}

struct Waiting {
    ticket: u64,
    shares: u32,
    start: oneshot::Sender<Permit>,
}

/// The right to hash, until it is dropped.
pub struct Permit {
    turns: Turns,
    shares: u32,
}

impl Turns {
    /// `shares` is how many hashes may run at once.
    pub fn new(shares: u32) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: shares,
            sign_up: FairQueue::default(),
            sign_in: FairQueue::default(),
            next: Queue::SignIn,
            tickets: 0,
        })))
    }

    /// Waits for the client's turn. `shares` is how many hashes it counts for. Errors: too many wait, or for too long.
    pub async fn wait(&self, queue: Queue, client: Client, shares: u32) -> Result<Permit, Busy> {
        let (start, started) = oneshot::channel();
        let ticket = {
            let mut state = self.lock();
            state.tickets += 1;
            let ticket = state.tickets;
            let waiting = Waiting {
                ticket,
                shares,
                start,
            };
            state.queue(queue).push(client, waiting)?;
            self.start_next(&mut state);
            ticket
        };
        // A request that is cancelled leaves the queue, too.
        let _leave = Leave {
            turns: self,
            queue,
            client,
            ticket,
        };
        let started = timeout(WAIT_TIMEOUT, started).await;
        started.map_err(|_| Busy::Queue)?.map_err(|_| Busy::Queue)
    }

    /// Starts whoever is next, until there is nobody or no room. Nobody is overtaken, so that a hash that counts for several
    /// gets its turn.
    fn start_next(&self, state: &mut State) {
        while let Some((queue, shares)) = state.next_in_line()
            && shares <= state.free
        {
            let waiting = state.queue(queue).pop();
            state.next = match queue {
                Queue::SignUp => Queue::SignIn,
                Queue::SignIn => Queue::SignUp,
            };
            let permit = Permit {
                turns: self.clone(),
                shares,
            };
            if let Some(Err(mut unused)) = waiting.map(|waiting| waiting.start.send(permit)) {
                // It has stopped waiting. The lock is held, so the permit must not give back anything.
                unused.shares = 0;
            } else {
                state.free -= shares;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue(&mut self, queue: Queue) -> &mut FairQueue {
        match queue {
            Queue::SignUp => &mut self.sign_up,
            Queue::SignIn => &mut self.sign_in,
        }
    }

    /// The queue whose turn it is, and the shares of who is first in it.
    fn next_in_line(&mut self) -> Option<(Queue, u32)> {
        let other = match self.next {
            Queue::SignUp => Queue::SignIn,
            Queue::SignIn => Queue::SignUp,
        };
        [self.next, other]
            .into_iter()
            .find_map(|queue| Some((queue, self.queue(queue).first()?.shares)))
    }
}

impl FairQueue {
    fn first(&self) -> Option<&Waiting> {
        self.clients.get(self.order.front()?)?.front()
    }

    fn pop(&mut self) -> Option<Waiting> {
        let client = self.order.pop_front()?;
        let requests = self.clients.get_mut(&client)?;
        let first = requests.pop_front();
        if requests.is_empty() {
            self.clients.remove(&client);
        } else {
            self.order.push_back(client);
        }
        self.count -= 1;
        first
    }

    /// A full queue makes room at the expense of the client with the most requests, unless that is this one.
    fn push(&mut self, client: Client, waiting: Waiting) -> Result<(), Busy> {
        if self.count >= MAX_WAITING {
            let own = self.clients.get(&client).map_or(0, VecDeque::len);
            let longest = self
                .clients
                .iter()
                .max_by_key(|(_, requests)| requests.len());
            let Some((&longest, _)) = longest.filter(|(_, requests)| requests.len() > own + 1)
            else {
                return Err(Busy::Queue);
            };
            if let Some(requests) = self.clients.get_mut(&longest) {
                requests.pop_back();
                self.count -= 1;
            }
        }
        let requests = self.clients.entry(client).or_default();
        if requests.is_empty() {
            self.order.push_back(client);
        }
        requests.push_back(waiting);
        self.count += 1;
        Ok(())
    }

    fn remove(&mut self, client: Client, ticket: u64) {
        let Some(requests) = self.clients.get_mut(&client) else {
            return;
        };
        let before = requests.len();
        requests.retain(|waiting| waiting.ticket != ticket);
        self.count -= before - requests.len();
        if requests.is_empty() {
            self.clients.remove(&client);
            self.order.retain(|other| *other != client);
        }
    }
}

/// Leaves the queue, unless the turn has come.
struct Leave<'a> {
    turns: &'a Turns,
    queue: Queue,
    client: Client,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.queue(self.queue).remove(self.client, self.ticket);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let shares = mem::take(&mut self.shares);
        if shares > 0 {
            let mut state = self.turns.lock();
            state.free += shares;
            self.turns.start_next(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures::FutureExt;
    use uuid::Uuid;

    use super::*;

    fn address(n: u8) -> Client {
        Client::Address(IpAddr::from([192, 0, 2, n]).into())
    }

    /// Requests that wait, each on a task of its own, and record the order in which they start.
    struct Room {
        turns: Turns,
        started: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Room {
        /// One hash runs, and the room waits for it.
        async fn new() -> (Self, Permit) {
            let turns = Turns::new(1);
            let first = turns.wait(Queue::SignIn, address(0), 1).await;
            let started = Arc::default();
            (Self { turns, started }, first.ok().unwrap())
        }

        async fn enter(&self, queue: Queue, client: Client, name: &'static str) {
            let (turns, started) = (self.turns.clone(), Arc::clone(&self.started));
            tokio::spawn(async move {
                if let Ok(permit) = turns.wait(queue, client, 1).await {
                    started.lock().unwrap().push(name);
                    drop(permit);
                }
            });
            tokio::task::yield_now().await;
        }

        async fn order(self, first: Permit) -> Vec<&'static str> {
            drop(first);
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            self.started.lock().unwrap().clone()
        }
    }

    #[tokio::test]
    async fn clients_take_turns_however_many_of_their_requests_wait() {
        let (room, first) = Room::new().await;
        for _ in 0..3 {
            room.enter(Queue::SignIn, address(1), "one").await;
        }
        room.enter(Queue::SignIn, address(2), "two").await;
        room.enter(Queue::SignIn, Client::Known(Uuid::nil()), "known")
            .await;
        assert_eq!(
            room.order(first).await,
            ["one", "two", "known", "one", "one"]
        );
    }

    #[tokio::test]
    async fn sign_up_and_sign_in_take_turns() {
        let (room, first) = Room::new().await;
        for _ in 0..3 {
            room.enter(Queue::SignUp, address(1), "up").await;
        }
        room.enter(Queue::SignIn, address(1), "in").await;
        assert_eq!(room.order(first).await, ["up", "in", "up", "up"]);
    }

    #[tokio::test]
    async fn a_full_queue_makes_room_for_who_has_less_waiting() {
        let (room, first) = Room::new().await;
        for _ in 0..MAX_WAITING + 5 {
            room.enter(Queue::SignIn, address(1), "many").await;
        }
        room.enter(Queue::SignIn, address(2), "one").await;
        let order = room.order(first).await;
        assert_eq!(order.len(), MAX_WAITING);
        assert_eq!(order[..3], ["many", "one", "many"]);
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_no_trace() {
        let turns = Turns::new(2);
        let held = turns.wait(Queue::SignIn, address(0), 2).await.ok();
        let cancelled = turns.wait(Queue::SignIn, address(1), 1).now_or_never();
        assert!(cancelled.is_none());
        assert!(turns.lock().sign_in.clients.is_empty());
        drop(held);
        assert_eq!(turns.lock().free, 2);
    }

    #[tokio::test]
    async fn one_that_counts_for_several_is_not_overtaken() {
        let turns = Turns::new(2);
        let one = turns.wait(Queue::SignIn, address(0), 1).await.ok();
        let large = turns.wait(Queue::SignIn, address(1), 2);
        let mut large = std::pin::pin!(large);
        assert!(large.as_mut().now_or_never().is_none());
        let mut small = std::pin::pin!(turns.wait(Queue::SignIn, address(2), 1));
        assert!(small.as_mut().now_or_never().is_none());
        drop(one);
        let permit = large.now_or_never().expect("its turn").ok();
        assert!(small.as_mut().now_or_never().is_none());
        drop(permit);
        assert!(small.now_or_never().expect("its turn").is_ok());
    }
}
