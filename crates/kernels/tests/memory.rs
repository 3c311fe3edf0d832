//! The bytes that a graph keeps alive until its backward pass: a frozen weight keeps no input.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

use burn::tensor::{Device, Tensor};
use radapter_kernels::{Heads, Weights, attention, gelu, layer_norm, linear, quick_gelu};

struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: everything is the system allocator's; it is counted on the way.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROWS: usize = 512;
const WIDTH: usize = 128;
/// Bytes of an activation.
const ACTIVATION: isize = (4 * ROWS * WIDTH) as isize;

/// The number of activations that stay alive besides a function's result, the median of three counts: a thread of an operation
/// may free its scratch memory after the operation has returned.
fn kept(f: impl Fn(Tensor<2>) -> Tensor<2>) -> isize {
    let mut counts = [count(&f), count(&f), count(&f)];
    counts.sort_unstable();
    counts[1]
}

/// One count. The function's input is tracked, and not shared.
fn count(f: &impl Fn(Tensor<2>) -> Tensor<2>) -> isize {
    let device = Device::flex().autodiff();
    let leaf = Tensor::<2>::ones([ROWS, WIDTH], &device).require_grad();
    // Threads and their stacks are there before anything is counted.
    drop(f(leaf.clone().mul_scalar(2.0)));
    let before = LIVE.load(Ordering::Relaxed);
    let found = f(leaf.clone().mul_scalar(2.0));
    let [rows, columns] = found.dims();
    let result = (4 * rows * columns) as isize;
    let live = LIVE.load(Ordering::Relaxed) - before - result;
    let gradients = found.sum().backward();
    assert!(leaf.grad(&gradients).is_some());
    // Small things, as the nodes of the graph, are far below one activation.
    (live + ACTIVATION / 2).div_euclid(ACTIVATION)
}

/// One test, because all threads of a process are counted together.
#[test]
fn what_is_kept_is_what_a_derivative_needs() {
    let device = Device::flex().autodiff();
    let weight = Tensor::<2>::ones([WIDTH, WIDTH], &device).mul_scalar(0.01);
    let bias = Tensor::<1>::ones([WIDTH], &device);
    let packed = Tensor::<2>::ones([3 * WIDTH, WIDTH], &device).mul_scalar(0.01);
    let packed_bias = Tensor::<1>::zeros([3 * WIDTH], &device);
    let heads = Heads { count: 4, tokens: 32, causal: false };

    assert_eq!(kept(|x| linear(x, weight.clone(), bias.clone())), 0, "a frozen linear layer");
    let trained = weight.clone().detach().require_grad();
    assert_eq!(kept(|x| linear(x, trained.clone(), bias.clone())), 1, "a trained one keeps its input");
    assert_eq!(kept(|x| layer_norm(x, bias.clone(), bias.clone(), 1e-5)), 1, "layer norm keeps its input");
    assert_eq!(kept(quick_gelu), 1, "QuickGELU keeps its input");
    assert_eq!(kept(gelu), 1, "GELU keeps its input");
    let attend = |x| attention(x, &Weights::new(packed.clone(), packed_bias.clone()), heads);
    assert_eq!(kept(attend), 3, "attention keeps queries, keys and values");
}
