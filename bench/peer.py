"""One training step of R-Adapter, its image half, CLIP's inference, or matrix products, by others; the last line is JSON.

The step is the published one: adapters `y + s·γ/(1−p)·F y` behind attention and MLP of every block of both towers, everything else
frozen, captions padded to 77 tokens, MPM-NCE, clipping by the global norm, AdamW, moving average of the adapters.

The JSON has the figures, or `{"skipped": reason}` where a mode cannot run the work.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time

from modes import MODES, PARTS, listed, start_environment


def reset_peak():
    """Forgets what was held so far, so that what loading took is not counted."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak_memory():
    try:
        with open("/proc/self/status") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return None


def minor_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def bf16_note(mode):
    """What to know of bf16 on this processor; `None` if nothing."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        return None
    if mode.precision == "f32" or platform.machine() != "x86_64" or {"avx512_bf16", "amx_bf16"} & set(flags):
        return None
    return "the processor has no bf16 instructions, so libraries emulate them"


def timed(work, args):
    for _ in range(args.warm_up):
        work.run()
    work.finish()
    reset_peak()
    faults, times = minor_faults(), []
    for _ in range(args.steps):
        start = time.perf_counter()
        work.run()
        work.finish()
        times.append(time.perf_counter() - start)
    return {
        "seconds": statistics.median(times),
        "all_seconds": times,
        "samples_per_second": args.batch / statistics.median(times),
        "minor_faults_per_step": (minor_faults() - faults) / args.steps,
    }


def measure(args, mode):
    if mode.engine == "pytorch":
        import torch

        torch.set_float32_matmul_precision("high" if mode.tf32 else "highest")
        import pytorch

        work = pytorch.Work(args, mode)
    else:
        import merged

        try:
            work = merged.Work(args, mode)
        except merged.CannotRun as reason:
            return {"skipped": str(reason)}
    figures = timed(work, args)
    peak = peak_memory()
    import torch

    import products

    if args.device != "cpu":
        peak = torch.cuda.max_memory_reserved()
    return {
        **figures,
        "peak_memory_mib": None if peak is None else peak / 2**20,
        "gemm_gflops": products.peak_gemm(args.device, getattr(work, "product_dtype", torch.float32)),
        "versions": [f"torch {torch.__version__}", *([work.version] if hasattr(work, "version") else [])],
        "threads": torch.get_num_threads(),
        "note": bf16_note(mode) if args.device == "cpu" else None,
    }


def multiply(args, mode):
    import torch

    import products

    torch.set_float32_matmul_precision("high" if mode.tf32 else "highest")
    dtype = torch.float32 if mode.precision == "f32" else torch.bfloat16
    note = bf16_note(mode) if args.device == "cpu" else None
    return {"gflops": products.linears(args.shapes.split(","), args.device, dtype), "note": note}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="ViT-B-32-quickgelu")
    parser.add_argument("--part", choices=PARTS, default="step")
    parser.add_argument("--mode", choices=MODES, default="eager")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=2, help="untimed runs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fused", action="store_true", help="AdamW's fused kernel")
    parser.add_argument("--preload", metavar="LIB", help="a shared library to preload, such as an allocator")
    parser.add_argument("--shapes", metavar="ROWSxINxOUT,…", default="1600x768x3072", help="of the products")
    parser.add_argument("--list", action="store_true", help="print the modes as JSON")
    return parser.parse_args()


def main():
    args = arguments()
    if args.list:
        print(listed())
        return
    mode = MODES[args.mode]
    reason = mode.unfit(args.part, args.device)
    if reason is not None:
        print(json.dumps({"skipped": reason}))
        return
    if args.preload and not os.path.isfile(args.preload):
        sys.exit(f"{args.preload}: no such file; expected a shared library to preload")
    lacking = start_environment(mode, args.preload)
    if lacking:
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **lacking})
    figures = multiply(args, mode) if args.part == "products" else measure(args, mode)
    preload = args.preload and os.path.basename(args.preload)
    print(json.dumps({"mode": args.mode, "preload": preload, **figures}))


if __name__ == "__main__":
    main()
