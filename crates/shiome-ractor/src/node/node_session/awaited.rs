use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use tokio::{sync::oneshot, task::unconstrained};

/// Receivers that one task waits for, each beside what it is for.
///
/// Their places, and what wakes them, are used again: to wait for one more allocates nothing once as many have waited
/// before.
pub(super) struct Awaited<T> {
    places: Vec<Place<T>>,
    free: Vec<usize>,
    ready: Arc<Ready>,
    /// Room for those that are looked at.
    looked_at: Vec<usize>,
}

struct Place<T> {
    occupant: Option<(T, oneshot::Receiver<Vec<u8>>)>,
    waker: Waker,
}

/// Places whose receivers may have something.
#[derive(Default)]
struct Ready(Mutex<State>);

#[derive(Default)]
struct State {
    keys: Vec<usize>,
    task: Option<Waker>,
}

struct Bell {
    key: usize,
    ready: Arc<Ready>,
}

impl<T> Default for Awaited<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            ready: Arc::default(),
            looked_at: Vec::new(),
        }
    }
}

impl<T> Awaited<T> {
    /// Waits for one more, by a key, for what `what_for` makes of that.
    ///
    /// # Errors
    ///
    /// What it has got already; `None`: nothing, and never will.
    pub(super) fn insert(
        &mut self,
        mut receiver: oneshot::Receiver<Vec<u8>>,
        what_for: impl FnOnce(usize) -> T,
    ) -> Result<usize, Option<Vec<u8>>> {
        if self.is_empty() {
            // With a key in it nobody would be woken.
            self.ready.forget();
        }
        let key = self.free.pop().unwrap_or_else(|| self.add_place());
        let place = &mut self.places[key];
        match poll_unconstrained(&mut receiver, &place.waker) {
            Poll::Pending => {
                place.occupant = Some((what_for(key), receiver));
                Ok(key)
            }
            Poll::Ready(got) => {
                self.free.push(key);
                Err(got.ok())
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    fn add_place(&mut self) -> usize {
        let key = self.places.len();
        let ready = Arc::clone(&self.ready);
        self.places.push(Place {
            occupant: None,
            waker: Arc::new(Bell { key, ready }).into(),
        });
        key
    }

    /// Waits no more for that one.
    pub(super) fn remove(&mut self, key: usize) -> Option<T> {
        let (what_for, _) = self.places.get_mut(key)?.occupant.take()?;
        self.free.push(key);
        Some(what_for)
    }

    /// Gives `got` all that have got something, or `None` since they never will. The task is woken for the next of those that
    /// are waited for by now.
    pub(super) fn poll(&mut self, cx: &Context<'_>, mut got: impl FnMut(T, Option<Vec<u8>>)) {
        if self.is_empty() {
            return;
        }
        self.ready.take(cx.waker(), &mut self.looked_at);
        for key in self.looked_at.drain(..) {
            // A bell may ring for who was there before.
            let place = &mut self.places[key];
            let Some((_, receiver)) = &mut place.occupant else {
                continue;
            };
            let Poll::Ready(what) = poll_unconstrained(receiver, &place.waker) else {
                continue;
            };
            if let Some((what_for, _)) = place.occupant.take() {
                self.free.push(key);
                got(what_for, what.ok());
            }
        }
    }
}

/// Many are looked at in one go, and the task's share of its thread is for what comes by the link: a receiver that is
/// asked when that is used up is none the wiser, and calls for nothing.
fn poll_unconstrained(
    receiver: &mut oneshot::Receiver<Vec<u8>>,
    waker: &Waker,
) -> Poll<Result<Vec<u8>, oneshot::error::RecvError>> {
    Pin::new(&mut unconstrained(receiver)).poll(&mut Context::from_waker(waker))
}

impl Ready {
    /// Takes the keys into `keys`, which is empty, and wakes `task` for the next.
    fn take(&self, task: &Waker, keys: &mut Vec<usize>) {
        let mut state = self.lock();
        match &mut state.task {
            Some(known) => known.clone_from(task),
            none => *none = Some(task.clone()),
        }
        std::mem::swap(&mut state.keys, keys);
    }

    /// Those that have rung are waited for no more.
    fn forget(&self) {
        self.lock().keys.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Keys are whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut state = self.ready.lock();
            state.keys.push(self.key);
            // Woken with the first, it takes all.
            (state.keys.len() == 1)
                .then(|| state.task.clone())
                .flatten()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_task_is_woken_once_for_all_that_have_come_and_places_are_used_again() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        let mut awaited = Awaited::default();
        for round in 1..=3 {
            let mut senders = Vec::new();
            for name in 0..3u8 {
                let (sender, receiver) = oneshot::channel();
                awaited.insert(receiver, |_| name).unwrap();
                senders.push(sender);
            }
            awaited.poll(&cx, |_, _| panic!("nothing has come"));
            drop(senders.remove(1));
            for (sender, answer) in senders.into_iter().zip([10, 12]) {
                sender.send(vec![answer]).unwrap();
            }
            assert_eq!(woken.0.load(Ordering::Relaxed), round);
            let mut got = Vec::new();
            awaited.poll(&cx, |name, what| got.push((name, what)));
            got.sort_unstable();
            assert_eq!(got, [(0, Some(vec![10])), (1, None), (2, Some(vec![12]))]);
        }
        assert_eq!(awaited.places.len(), 3);
    }

    #[test]
    fn a_bell_that_has_rung_for_what_was_removed_does_not_silence_the_next() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        let mut awaited = Awaited::default();
        let (first, receiver) = oneshot::channel();
        let key = awaited.insert(receiver, |_| 1).unwrap();
        awaited.poll(&cx, |_, _| panic!("nothing has come"));
        first.send(vec![1]).unwrap();
        assert_eq!(awaited.remove(key), Some(1));
        awaited.poll(&cx, |_, _| panic!("it was removed"));
        let (second, receiver) = oneshot::channel();
        awaited.insert(receiver, |_| 2).unwrap();
        awaited.poll(&cx, |_, _| panic!("nothing has come"));
        second.send(vec![2]).unwrap();
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        let mut got = Vec::new();
        awaited.poll(&cx, |name, what| got.push((name, what)));
        assert_eq!(got, [(2, Some(vec![2]))]);
    }

    #[test]
    fn what_is_there_already_takes_no_place_and_what_was_removed_does_not_come() {
        let waker = Waker::noop();
        let cx = Context::from_waker(waker);
        let mut awaited = Awaited::default();
        let (sender, receiver) = oneshot::channel();
        sender.send(vec![1]).unwrap();
        assert_eq!(awaited.insert(receiver, |_| 'a'), Err(Some(vec![1])));
        let (sender, receiver) = oneshot::channel();
        let key = awaited.insert(receiver, |_| 'b').unwrap();
        assert_eq!(awaited.remove(key), Some('b'));
        assert_eq!(awaited.remove(key), None);
        assert!(sender.is_closed());
        let (sender, receiver) = oneshot::channel();
        assert_eq!(awaited.insert(receiver, |_| 'c'), Ok(key));
        awaited.poll(&cx, |_, _| panic!("nothing has come"));
        drop(sender);
        let mut got = Vec::new();
        awaited.poll(&cx, |name, what| got.push((name, what)));
        assert_eq!(got, [('c', None)]);
    }
}
