"""Linear layers as matrix products of PyTorch."""

import time

import torch
import torch.nn.functional as F


def best_gflops(flop, run, finish, times=6):
    """GFLOP/s of the fastest of several runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run()
        finish()
        best = min(best, time.perf_counter() - start)
    return flop / best / 1e9


def finish_of(device):
    return torch.cuda.synchronize if torch.device(device).type == "cuda" else lambda: None


def peak_gemm(device, dtype):
    """GFLOP/s of a large matrix product."""
    size = 1024 if torch.device(device).type == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return best_gflops(2 * size**3, lambda: a @ b, finish_of(device))


def linears(shapes, device, dtype):
    """GFLOP/s of `bias + x · weightᵀ` for each `ROWSxINxOUT`, by the faster library.

    `F.linear` uses MKL for f32 on Intel's processors, and oneDNN for bf16; what `torch.compile` makes of it uses oneDNN for both.
    """
    found = []
    for shape in shapes:
        rows, inner, outer = (int(side) for side in shape.split("x"))
        x, weight, bias = (
            torch.randn(*sides, device=device, dtype=dtype) for sides in ((rows, inner), (outer, inner), (outer,))
        )
        with torch.no_grad():
            ways = [lambda: F.linear(x, weight, bias)]
            if torch.device(device).type == "cpu" and torch.backends.mkldnn.is_available():
                ways.append(lambda: torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))
            flop = 2 * rows * inner * outer
            found.append(max(best_gflops(flop, way, finish_of(device)) for way in ways))
    return found
