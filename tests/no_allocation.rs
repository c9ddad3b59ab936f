//! A training step allocates nothing, the first one included. One test in a file of its own: the counter is global.

mod network_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use disentangle::backend::Cpu;
use disentangle::backend::kernel::UpdateRule;
use disentangle::nn::{Activation, Loss};
use network_support::{Net, Rows, Setup};

struct Counting;

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

fn count() {
    if COUNTING.load(SeqCst) {
        ALLOCATIONS.fetch_add(1, SeqCst);
    }
}

// SAFETY: everything is passed on to the system's allocator; counting touches only atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of `f`, in any thread.
fn allocations(f: impl FnOnce()) -> u64 {
    ALLOCATIONS.store(0, SeqCst);
    COUNTING.store(true, SeqCst);
    f();
    COUNTING.store(false, SeqCst);
    ALLOCATIONS.load(SeqCst)
}

fn setup(loss: Loss, rule: UpdateRule, rows: Rows, total: usize, inputs: usize, hidden: [usize; 2]) -> Setup {
    Setup {
        loss,
        activation: Activation::Tanh,
        rule,
        classes: 3,
        inputs,
        hidden,
        total,
        rows,
        entangled: false,
    }
}

const NARROW: [usize; 2] = [19, 11];
/// Runs on blocks of rows.
const WIDE: [usize; 2] = [100, 40];

const SGD: UpdateRule = UpdateRule::Sgd {
    momentum: 0.9,
    nesterov: false,
    weight_decay: 0.0,
};
const ADAM: UpdateRule = UpdateRule::Adam {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.0,
    decoupled: false,
};

/// Trains until every thread has worked: a thread allocates when it begins, which may be late on a busy machine.
fn start(cpu: &Cpu) {
    let mut net = Net::new(
        &setup(Loss::CrossEntropy, SGD, Rows::Shared, 4200, 30, NARROW),
        &[0],
        cpu,
    );
    for _ in 0..10_000 {
        net.step();
        if cpu.tasks_done().iter().all(|done| *done > 0) {
            return;
        }
    }
    panic!("a thread never worked: {:?}", cpu.tasks_done());
}

#[test]
fn a_training_step_allocates_nothing() {
    // The counter counts, on other threads too.
    let there = std::thread::scope(|scope| {
        let other = scope.spawn(|| allocations(|| drop(std::hint::black_box(vec![1u8; 100]))));
        other.join().unwrap()
    });
    assert_eq!(there, 1);

    for threads in [1, 2] {
        let cpu = Cpu::new(threads).unwrap();
        start(&cpu);
        for replicas in [1, 4] {
            // A last batch is short; products are narrower and deeper than the kernels' blocks.
            for (rows, total, inputs, hidden) in [
                (Rows::Shared, 2100, 37, NARROW),
                (Rows::Shared, 300, 1000, NARROW),
                (Rows::Lasting, 900, 100, NARROW),
                (Rows::Own, 600, 300, NARROW),
                (Rows::Gathered(400), 1100, 784, NARROW),
                (Rows::Written(90), 200, 30, NARROW),
                (Rows::Gathered(64), 300, 784, WIDE),
                (Rows::Lasting, 900, 784, WIDE),
            ] {
                for (loss, rule) in [
                    (Loss::CrossEntropy, SGD),
                    (Loss::Hinge { threshold: 1.0 }, ADAM),
                    (Loss::SquaredError, SGD),
                ] {
                    let mut setup = setup(loss, rule, rows, total, inputs, hidden);
                    setup.entangled = total <= 600 && matches!(loss, Loss::CrossEntropy);
                    let ids: Vec<u64> = (0..replicas).collect();
                    let mut net = Net::new(&setup, &ids, &cpu);
                    if rows == Rows::Lasting {
                        // Samples that last are prepared when they are written.
                        net.step();
                    }
                    // Not even in the first step: with several threads, a thread's first task may come in any later one.
                    let found = allocations(|| (0..11).for_each(|_| net.step()));
                    assert_eq!(found, 0, "{threads} threads, {replicas} replicas, {setup:?}");
                }
            }
        }
    }
}
