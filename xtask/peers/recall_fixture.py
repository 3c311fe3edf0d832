"""Embeddings with duplicates, and their recalls by a plain float64 computation in numpy.

    python xtask/peers/recall_fixture.py crates/retrieval/tests/fixtures

writes recall.safetensors and recall.json. Needs numpy and safetensors.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

IMAGES, TEXTS, DIM = 40, 130, 8
TIE = 1e-6


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def recalls(ranks):
    ranks = np.array(ranks)
    result = {f"r{k}": float(np.mean(ranks <= k)) for k in (1, 5, 10)}
    result["median_rank"] = float(np.median(ranks))
    return result


def rank(scores, right):
    """1 + the number of wrong candidates that score at least as high as the best right one."""
    best = scores[right].max()
    return 1 + int(np.sum(scores[~right] >= best - TIE))


def main(folder):
    random = np.random.default_rng(4)
    images = random.normal(size=(IMAGES, DIM))
    images[7] = images[3]
    images[21] = images[20]
    text_image = np.concatenate([np.arange(IMAGES), random.integers(0, IMAGES, TEXTS - IMAGES)])
    texts = images[text_image] + 1.2 * random.normal(size=(TEXTS, DIM))
    texts[50] = texts[10]
    texts[77] = texts[11]
    images, texts = unit(images).astype(np.float32), unit(texts).astype(np.float32)

    scores = images.astype(np.float64) @ texts.astype(np.float64).T
    image_to_text = recalls([rank(scores[i], text_image == i) for i in range(IMAGES)])
    text_to_image = recalls([rank(scores[:, t], np.arange(IMAGES) == text_image[t]) for t in range(TEXTS)])
    six = [found[key] for found in (image_to_text, text_to_image) for key in ("r1", "r5", "r10")]
    expected = {
        "n_images": IMAGES,
        "n_texts": TEXTS,
        "image_to_text": image_to_text,
        "text_to_image": text_to_image,
        "mean_recall": float(np.mean(six)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"text_image": json.dumps(text_image.tolist())}
    save_file({"image_embeddings": images, "text_embeddings": texts}, folder / "recall.safetensors", metadata)
    (folder / "recall.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
