//! A pool of threads for short parallel regions.
//!
//! [`Pool::run`] calls a closure once per task. The caller's thread is worker 0 and works too; the others are hot (they
//! spin) for [`SPIN`] after a region and parked after that. Everything between caller and workers goes through one
//! atomic word:
//!
//! ```text
//!   63 ............ 18   17          16      15 ........ 0
//!   number of region     shutdown    open    workers inside
//! ```
//!
//! - The caller writes the job, then stores a new region number with `open` (release).
//! - A worker that sees a new number enters by a compare-exchange that adds one to `workers inside` and fails unless
//!   the region is still open (acquire: it sees the job). It takes tasks, then subtracts one (release).
//! - The caller, out of tasks, clears `open` and waits until nobody is inside (acquire: it sees what the tasks wrote).
//!
//! So the job is read only by those inside, and `run` does not return, nor writes another job, while anyone is. A
//! worker that wakes too late finds the region closed and does nothing: nobody waits for it.
//!
//! Tasks are begun in their order, whoever takes which. Or each worker begins with its own share of them, then takes what is left
//! of the others': in regions with as many tasks those of the same number then have the same thread, as long as nobody is late,
//! and find in its cache what the last one left ([`Pool::run_in_shares`]).
//!
//! ```
//! use std::sync::atomic::{AtomicUsize, Ordering};
//!
//! use disentangle::backend::cpu::pool::{MAX_THREADS, Pool, PoolError};
//!
//! let pool = Pool::new(3)?;
//! let sum = AtomicUsize::new(0);
//! // Whoever takes which: each of the tasks 0 to 99 is done once.
//! pool.run(100, &|worker, task| {
//!     assert!(worker < pool.threads());
//!     sum.fetch_add(task, Ordering::Relaxed);
//! });
//! assert_eq!(sum.into_inner(), 99 * 100 / 2);
//! // The first thread's share are the tasks 0 to 33, if it is not so late that others have taken them.
//! pool.run_in_shares(100, &|_, _| ());
//! assert_eq!(pool.tasks_done().iter().sum::<u64>(), 200);
//! // The caller's thread is one of them, so there is no pool without threads.
//! assert!(matches!(Pool::new(0), Err(PoolError::Threads(0))));
//! assert!(matches!(Pool::new(MAX_THREADS + 1), Err(PoolError::Threads(1025))));
//! # Ok::<(), PoolError>(())
//! ```

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a worker looks for the next region before it parks, and the caller for the end of the last tasks.
///
/// ```
/// use std::time::Duration;
///
/// use disentangle::backend::cpu::pool::SPIN;
///
/// // A thousand steps a second leave the workers time to park, twenty thousand do not.
/// assert!(Duration::from_secs(1) / 1_000 > SPIN);
/// assert!(Duration::from_secs(1) / 20_000 <= SPIN);
/// ```
pub const SPIN: Duration = Duration::from_micros(50);
/// Most threads of a pool.
pub const MAX_THREADS: usize = 1024;

const INSIDE: u64 = 0xffff;
const OPEN: u64 = 1 << 16;
const SHUTDOWN: u64 = 1 << 17;
const REGION: u64 = 1 << 18;

/// A task: called with the number of the worker that runs it and the number of the task.
type Task<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Why a pool could not be made.
#[derive(Debug)]
pub enum PoolError {
    /// Not 1 to [`MAX_THREADS`] threads.
    Threads(usize),
    /// The operating system refused a thread.
    Spawn(std::io::Error),
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::Threads(asked) => write!(f, "thread pool: {asked} threads, expected 1 to {MAX_THREADS}"),
            PoolError::Spawn(error) => write!(f, "thread pool: cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for PoolError {}

/// A value that shares its cache lines with no other, so that writers do not slow down readers of a neighbour.
#[repr(align(128))]
struct Apart<T>(T);

#[derive(Clone, Copy)]
struct Job {
    task: *const Task<'static>,
    tasks: usize,
    /// Into so many equal ones the tasks are cut: one, or one for each worker.
    shares: usize,
}

impl Job {
    fn share(&self, number: usize) -> Range<usize> {
        (self.tasks * number).div_ceil(self.shares)..(self.tasks * (number + 1)).div_ceil(self.shares)
    }
}

struct Shared {
    /// Region number, flags, workers inside.
    state: Apart<AtomicU64>,
    /// By share: the next task that nobody has taken. Close together, since who is done with one looks at all.
    next: Vec<AtomicUsize>,
    /// Written by the caller while no region is open and nobody inside, read by those inside.
    job: UnsafeCell<Option<Job>>,
    /// Whether a task of the region has panicked, and the payload of the first that did: written by the one thread
    /// that set the flag, read by the caller when nobody is inside.
    panicked: AtomicBool,
    payload: UnsafeCell<Option<Box<dyn Any + Send>>>,
    /// Tasks done, by worker.
    done: Vec<Apart<AtomicU64>>,
    /// Workers parked or about to, and the caller likewise (0 or 1).
    parked: AtomicUsize,
    caller_parked: AtomicUsize,
    bell: Mutex<()>,
    new_region: Condvar,
    all_left: Condvar,
}

// SAFETY: only `job` and `payload` are not Sync by themselves; the protocol above keeps their reads and writes apart,
// and the closure that `job` points to is Sync and outlives the region.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is used only during a region, when the closure is alive.
unsafe impl Send for Shared {}

/// See the [module](self).
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a region runs: callers on several threads take turns.
    turn: Mutex<()>,
}

thread_local! {
    /// The pool (by address) in whose region this thread is, and which worker it is there.
    static WITHIN: Cell<Option<(*const Shared, usize)>> = const { Cell::new(None) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A pool of that many threads, the caller's among them.
    ///
    /// # Errors
    /// [`PoolError::Threads`] for 0 or more than [`MAX_THREADS`]; [`PoolError::Spawn`] if a thread cannot be started.
    pub fn new(threads: usize) -> Result<Pool, PoolError> {
        if !(1..=MAX_THREADS).contains(&threads) {
            return Err(PoolError::Threads(threads));
        }
        let shared = Arc::new(Shared {
            state: Apart(AtomicU64::new(0)),
            next: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
            job: UnsafeCell::new(None),
            panicked: AtomicBool::new(false),
            payload: UnsafeCell::new(None),
            done: (0..threads).map(|_| Apart(AtomicU64::new(0))).collect(),
            parked: AtomicUsize::new(0),
            caller_parked: AtomicUsize::new(0),
            bell: Mutex::new(()),
            new_region: Condvar::new(),
            all_left: Condvar::new(),
        });
        let mut pool = Pool {
            shared,
            workers: Vec::with_capacity(threads - 1),
            turn: Mutex::new(()),
        };
        for worker in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("worker {worker}"));
            pool.workers
                .push(thread.spawn(move || shared.work(worker)).map_err(PoolError::Spawn)?);
        }
        Ok(pool)
    }

    /// Threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Tasks that each worker has done since the pool was made.
    pub fn tasks_done(&self) -> Vec<u64> {
        self.shared.done.iter().map(|done| done.0.load(Relaxed)).collect()
    }

    /// Calls `task(worker, t)` once for each `t < tasks` and returns when all calls have. A call begins after those with smaller t
    /// have, so it may wait for them. No two calls of one region run at the same time with the same `worker < threads()`. From
    /// inside a task it runs all calls itself, with its own worker's number (0 if the task is another pool's). It allocates nothing.
    ///
    /// # Panics
    /// If a task panics, so does `run`, with the first panic's payload, after the calls that had begun; further tasks
    /// may have been left out.
    pub fn run(&self, tasks: usize, task: &Task) {
        self.region(tasks, 1, task);
    }

    /// The same, but each worker begins with a share of its own, and always the same one of as many tasks: for tasks whose numbers
    /// come back to the same memory, region after region.
    ///
    /// # Panics
    /// As [`Pool::run`] does.
    pub fn run_in_shares(&self, tasks: usize, task: &Task) {
        self.region(tasks, self.threads(), task);
    }

    fn region(&self, tasks: usize, shares: usize, task: &Task) {
        let shared = &*self.shared;
        let within = WITHIN.get();
        if within.is_some() || tasks <= 1 || self.workers.is_empty() {
            let worker = within
                .filter(|(pool, _)| std::ptr::eq(*pool, shared))
                .map_or(0, |(_, worker)| worker);
            for t in 0..tasks {
                task(worker, t);
                shared.done[worker].0.fetch_add(1, Relaxed);
            }
            return;
        }
        let turn = lock(&self.turn);
        // SAFETY: only the lifetime changes; nobody uses the pointer after this function has returned (see the module).
        let task = unsafe { std::mem::transmute::<*const Task<'_>, *const Task<'static>>(task) };
        let job = Job { task, tasks, shares };
        // SAFETY: it is this thread's turn and the last region is closed with nobody inside.
        unsafe { *shared.job.get() = Some(job) };
        for (share, next) in shared.next.iter().take(shares).enumerate() {
            next.store(job.share(share).start, Relaxed);
        }
        let before = shared.state.0.load(Relaxed);
        shared
            .state
            .0
            .store((before & !(REGION - 1)).wrapping_add(REGION) | OPEN, SeqCst);
        shared.wake(tasks - 1);
        shared.drain(0);
        shared.state.0.fetch_and(!OPEN, AcqRel);
        shared.wait_until_all_left();
        shared.panicked.store(false, Relaxed);
        // SAFETY: nobody is inside, and the next region cannot open while this thread has the turn.
        let panic = unsafe { (*shared.payload.get()).take() };
        drop(turn);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.0.fetch_or(SHUTDOWN, SeqCst);
        self.shared.wake(self.workers.len());
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its tasks, so it ends in no other way than by returning.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// The life of a worker.
    fn work(&self, worker: usize) {
        let mut seen = 0;
        loop {
            let state = self.wait_for_news(seen);
            if state & SHUTDOWN != 0 {
                return;
            }
            seen = state / REGION;
            if self.enter(seen) {
                self.drain(worker);
                let before = self.state.0.fetch_sub(1, SeqCst);
                if before & (OPEN | INSIDE) == 1 && self.caller_parked.load(SeqCst) != 0 {
                    drop(lock(&self.bell));
                    self.all_left.notify_one();
                }
            }
        }
    }

    /// Joins region number `region`, if it is still open.
    fn enter(&self, region: u64) -> bool {
        let still_open = |state: u64| (state / REGION == region && state & OPEN != 0).then_some(state + 1);
        self.state.0.fetch_update(AcqRel, Relaxed, still_open).is_ok()
    }

    /// Takes tasks until there are none.
    fn drain(&self, worker: usize) {
        // SAFETY: this thread is the caller or inside, so nobody writes the job.
        let Some(job) = (unsafe { *self.job.get() }) else {
            return;
        };
        WITHIN.set(Some((self, worker)));
        let mut done = 0;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for share in (worker..job.shares).chain(0..worker.min(job.shares)) {
                let (next, end) = (&self.next[share], job.share(share).end);
                while next.load(Relaxed) < end {
                    let t = next.fetch_add(1, Relaxed);
                    if t >= end {
                        break;
                    }
                    // SAFETY: the closure lives until `run` returns, which waits for this thread to leave.
                    unsafe { (*job.task)(worker, t) };
                    done += 1;
                }
            }
        }));
        WITHIN.set(None);
        self.done[worker].0.fetch_add(done, Relaxed);
        if let Err(payload) = outcome {
            self.next.iter().for_each(|next| next.store(job.tasks, Relaxed));
            if !self.panicked.swap(true, Relaxed) {
                // SAFETY: this thread alone has set the flag, and the caller reads only after it has left.
                unsafe { *self.payload.get() = Some(payload) };
            } else if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                // A payload that panics when dropped would end the worker, and so might the payload of that panic.
                std::mem::forget(again);
            }
        }
    }

    /// Returns the state once its region is not `seen` or the pool shuts down: spins, then parks.
    ///
    /// No wake-up is lost: the worker counts itself as parked, then looks at the state; the caller stores the state,
    /// then looks at the count. All four are sequentially consistent, so at least one sees the other's write. If it is
    /// the caller, it takes the bell's lock, which it gets only before the worker looks or after it waits.
    fn wait_for_news(&self, seen: u64) -> u64 {
        let news = |state: u64| state / REGION != seen || state & SHUTDOWN != 0;
        if let Some(state) = self.spin(news) {
            return state;
        }
        let mut bell = lock(&self.bell);
        self.parked.fetch_add(1, SeqCst);
        loop {
            let state = self.state.0.load(SeqCst);
            if news(state) {
                self.parked.fetch_sub(1, SeqCst);
                return state;
            }
            bell = self.new_region.wait(bell).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Wakes up to `workers` of those that are parked.
    fn wake(&self, workers: usize) {
        let parked = self.parked.load(SeqCst);
        if parked > 0 {
            drop(lock(&self.bell));
            (0..workers.min(parked)).for_each(|_| self.new_region.notify_one());
        }
    }

    /// Waits until no worker is inside: spins, then parks. No wake-up is lost, for the same reason as above.
    fn wait_until_all_left(&self) {
        let all_left = |state: u64| state & INSIDE == 0;
        if self.spin(all_left).is_some() {
            return;
        }
        let mut bell = lock(&self.bell);
        self.caller_parked.store(1, SeqCst);
        while !all_left(self.state.0.load(SeqCst)) {
            bell = self.all_left.wait(bell).unwrap_or_else(PoisonError::into_inner);
        }
        self.caller_parked.store(0, SeqCst);
    }

    /// Looks at the state until it satisfies `wanted`, but not longer than [`SPIN`].
    fn spin(&self, wanted: impl Fn(u64) -> bool) -> Option<u64> {
        let mut start = None;
        loop {
            // Reading the clock costs as much as several looks.
            for _ in 0..32 {
                let state = self.state.0.load(Acquire);
                if wanted(state) {
                    return Some(state);
                }
                std::hint::spin_loop();
            }
            if start.get_or_insert_with(Instant::now).elapsed() > SPIN {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a region and checks that each task ran once and that no worker number was in use twice at a time.
    fn run_and_check(pool: &Pool, tasks: usize) {
        let runs: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        let busy: Vec<AtomicBool> = (0..pool.threads()).map(|_| AtomicBool::new(false)).collect();
        let task = |worker: usize, task: usize| {
            assert!(!busy[worker].swap(true, SeqCst));
            runs[task].fetch_add(1, Relaxed);
            busy[worker].store(false, SeqCst);
        };
        pool.run(tasks, &task);
        assert!(runs.iter().all(|runs| runs.load(Relaxed) == 1));
        pool.run_in_shares(tasks, &task);
        assert!(runs.iter().all(|runs| runs.load(Relaxed) == 2));
    }

    #[test]
    fn each_task_runs_once_for_any_number_of_threads() {
        for threads in [1, 2, 3, 7] {
            let pool = Pool::new(threads).unwrap();
            assert_eq!(pool.threads(), threads);
            for tasks in (0..40).chain([1000]) {
                run_and_check(&pool, tasks);
            }
            assert_eq!(pool.tasks_done().iter().sum::<u64>(), 2 * ((0..40).sum::<u64>() + 1000));
        }
    }

    #[test]
    fn a_hundred_thousand_tiny_regions_see_each_others_writes() {
        for threads in [1, 2, 3, 7] {
            let pool = Pool::new(threads).unwrap();
            // Plain memory that each region reads and writes: a region that began before the last had ended, or that
            // did not see its writes, would break the count.
            struct Cells([UnsafeCell<usize>; 3]);
            // SAFETY: each cell is used by one task of a region at a time.
            unsafe impl Sync for Cells {}
            let cells = Cells(std::array::from_fn(|_| UnsafeCell::new(0)));
            let cells = &cells;
            let regions = if threads <= 2 { 100_000 } else { 20_000 };
            for region in 0..regions {
                pool.run(3, &|_, task| {
                    // SAFETY: task t alone uses cell t.
                    let cell = unsafe { &mut *cells.0[task].get() };
                    assert_eq!(*cell, region);
                    *cell += 1;
                });
            }
        }
    }

    #[test]
    fn a_worker_begins_with_its_own_share() {
        let pool = Pool::new(3).unwrap();
        for _ in 0..20 {
            let begun = AtomicUsize::new(0);
            // Seven tasks: 0 to 2, 3 and 4, 5 and 6. Nobody gets to others' tasks before all have begun.
            pool.run_in_shares(7, &|worker, task| {
                if let Some(owner) = [0, 3, 5].iter().position(|first| *first == task) {
                    assert_eq!(worker, owner);
                    begun.fetch_add(1, SeqCst);
                    while begun.load(SeqCst) < 3 {
                        std::thread::yield_now();
                    }
                }
            });
        }
    }

    #[test]
    fn parked_workers_wake_up_and_all_take_part() {
        let pool = Pool::new(3).unwrap();
        for _ in 0..20 {
            std::thread::sleep(SPIN * 4);
            let arrived = AtomicUsize::new(0);
            // Nobody can finish a task before all three workers have begun one.
            pool.run(3, &|_, _| {
                arrived.fetch_add(1, SeqCst);
                while arrived.load(SeqCst) < 3 {
                    std::thread::yield_now();
                }
            });
        }
        assert_eq!(pool.tasks_done(), [20, 20, 20]);
    }

    #[test]
    fn the_caller_parks_when_a_worker_takes_long() {
        let pool = Pool::new(2).unwrap();
        let both = AtomicUsize::new(0);
        let slow = AtomicBool::new(false);
        pool.run(2, &|worker, _| {
            both.fetch_add(1, SeqCst);
            while both.load(SeqCst) < 2 {
                std::thread::yield_now();
            }
            if worker == 1 {
                std::thread::sleep(SPIN * 100);
                slow.store(true, SeqCst);
            }
        });
        assert!(slow.load(SeqCst));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        for threads in [1, 2, 7] {
            let pool = Pool::new(threads).unwrap();
            for round in 0..50 {
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    pool.run(20, &|_, task| {
                        if task % 7 == round % 7 {
                            // Not `panic!`, which would print: this is how a panic goes on.
                            resume_unwind(Box::new(round));
                        }
                    });
                }));
                assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&round));
                run_and_check(&pool, 20);
            }
        }
    }

    #[test]
    fn nested_regions_run_on_their_own_worker_and_callers_take_turns() {
        let (pool, other) = (Pool::new(3).unwrap(), Pool::new(2).unwrap());
        let count = AtomicUsize::new(0);
        pool.run(8, &|outer, _| {
            let thread = std::thread::current().id();
            pool.run(5, &|inner, _| {
                assert_eq!((inner, std::thread::current().id()), (outer, thread));
                count.fetch_add(1, Relaxed);
            });
            other.run(5, &|inner, _| {
                assert_eq!((inner, std::thread::current().id()), (0, thread))
            });
        });
        assert_eq!(count.into_inner(), 40);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).for_each(|_| run_and_check(&pool, 6)));
            }
        });
    }

    #[test]
    fn a_number_of_threads_that_cannot_be_is_an_error() {
        for threads in [0, MAX_THREADS + 1, usize::MAX] {
            let error = Pool::new(threads).err().unwrap().to_string();
            assert_eq!(error, format!("thread pool: {threads} threads, expected 1 to 1024"));
        }
    }
}
