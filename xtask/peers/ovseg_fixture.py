"""OVSeg's published method in PyTorch: from mask logits and cosines to a sum for each pixel and class.

    python xtask/peers/ovseg_fixture.py crates/segmentation/tests/fixtures

writes ovseg.json. Needs torch.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

QUERIES, CLASSES = 5, 4
GRID, IMAGE = (6, 7), (11, 9)
THRESHOLD, TEMPERATURE, LAMBDA = 0.4, 0.01, 0.7


def main(folder):
    torch.manual_seed(5)
    logits = 2 * torch.randn(QUERIES, *GRID)
    # Nothing of the last mask is above the threshold.
    logits[-1] -= 12
    scores = torch.randn(QUERIES, CLASSES + 1)
    cosines = 0.2 + 0.02 * torch.randn(QUERIES, CLASSES)

    resized = F.interpolate(logits[None], size=IMAGE, mode="bilinear", align_corners=False)[0]
    masks = resized.sigmoid()
    is_valid = (masks > THRESHOLD).flatten(1).any(1)
    assert is_valid.tolist() == [True] * (QUERIES - 1) + [False]
    # The generator's "no object" takes part in its softmax and is dropped behind it.
    generator = scores.softmax(-1)[:, :-1]
    clip = torch.ones_like(generator)
    clip[is_valid] = (cosines[is_valid] / TEMPERATURE).softmax(-1)
    fused = generator ** (1 - LAMBDA) * clip**LAMBDA
    sums = torch.einsum("qk,qhw->hwk", fused, masks)
    fixture = {
        "torch": torch.__version__,
        "grid": GRID,
        "image": IMAGE,
        "threshold": THRESHOLD,
        "temperature": TEMPERATURE,
        "lambda": LAMBDA,
        "logits": logits.flatten().tolist(),
        "scores": scores.tolist(),
        "cosines": cosines.tolist(),
        "masks": masks.flatten().tolist(),
        "fused": fused.tolist(),
        "sums": sums.flatten().tolist(),
        "labels": sums.argmax(-1).flatten().tolist(),
    }
    round_off = lambda value: [round_off(one) for one in value] if isinstance(value, list) else (
        float(f"{value:.9g}") if isinstance(value, float) else value
    )
    fixture = {key: round_off(value) for key, value in fixture.items()}
    (Path(folder) / "ovseg.json").write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
