"""Shows that TensorBoard reads a run's event files, and that it shows each step once.

    pip install tensorboard
    radapter train classification ... --set log.tensorboard=true --out RUN
    python xtask/peers/read_tensorboard.py RUN

Compares the values of TensorBoard's accumulator with the run's metrics.jsonl, which has one line for each step, also after kills
and resumes. Prints a JSON object with the number of values per tag; the exit status is 1 if the two differ.
"""

import argparse
import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TRAIN = ["loss", "lr", "grad_norm", "samples_per_second"]


def f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def expected(run):
    """Step and value by tag, as in metrics.jsonl."""
    tags = {}
    for line in (Path(run) / "metrics.jsonl").read_text().splitlines():
        line = json.loads(line)
        values = {f"validation/{k}": v for k, v in line.get("values", {}).items()} or {f"train/{k}": line[k] for k in TRAIN}
        for tag, value in values.items():
            tags.setdefault(tag, []).append((line["step"], f32(value)))
    return tags


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    run = parser.parse_args().run
    # Zero: all values instead of a sample.
    accumulator = EventAccumulator(run, size_guidance={"scalars": 0})
    accumulator.Reload()
    found = {tag: [(e.step, e.value) for e in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]}
    wanted = expected(run)
    times = [e.wall_time for tag in found for e in accumulator.Scalars(tag)]
    print(json.dumps({
        "files": len(list(Path(run).glob("events.out.tfevents.*"))),
        "values": {tag: len(values) for tag, values in found.items()},
        "seconds": round(max(times) - min(times), 3) if times else None,
    }, indent=1))
    wrong = [tag for tag in sorted(found.keys() | wanted.keys()) if found.get(tag) != wanted.get(tag)]
    if wrong or not found:
        sys.exit(f"differs from metrics.jsonl: {', '.join(wrong) or 'no values were found'}")


if __name__ == "__main__":
    main()
