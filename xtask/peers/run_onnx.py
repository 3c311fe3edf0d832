"""Runs our ONNX exports in ONNX Runtime, and compares the results with those of `radapter embed` and of transformers.

    pip install onnx onnxruntime numpy safetensors Pillow
    pip install torch open_clip_torch     # for --random
    pip install torch transformers        # for --transformers
    python xtask/peers/run_onnx.py [--model MODEL ...] [--run RUN] [--random NAME ...] [--transformers]
        [--radapter COMMAND] [--opset N ...] [--images FOLDER] [--work FOLDER]

Each MODEL (a run included) is exported as two towers in f32 and f16 and as a single model. Each NAME is an architecture of
open_clip with random weights, as in `--random ViT-B-32-quickgelu`. RUN is a run of R-Adapter, which is exported with alpha as an
input and compared with what `radapter merge --alpha` makes of it at 0, 0.5 and 1. Every file is checked by onnx.checker. Texts
are run padded to the whole context, cut to the longest one, and one by one.

Prints a JSON object with the largest differences of normalized embeddings and of logits; the exit status is 1 if one
is above its limit.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from safetensors import safe_open

TEXTS = ["a photo of a cat.", "two dogs run, jump & play in the snow!", "1234567890 3.14159", "don't stop", "naïve café", ""]
LIMITS = {"f32": 1e-5, "f16": 4e-3, "alpha": 1e-5, "single": 1e-5, "logits": 1e-3}


def normalized(rows):
    return rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)


def difference(a, b):
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


class Peer:
    """One model: what our command makes of it, in a folder that is removed afterwards."""

    def __init__(self, arguments, work, model, arch=None):
        self.command, self.model = arguments.radapter, model
        self.arch = ["--arch", arch] if arch else []
        self.work = Path(tempfile.mkdtemp(dir=work))
        self.images, self.texts = self.work.parent / "images", self.work.parent / "texts.json"
        self.ids = None

    def radapter(self, *words):
        subprocess.run([self.command, "--quiet", *map(str, words)], check=True)

    def export(self, name, *words):
        """An export's folder, checked by onnx."""
        out = self.work / name
        self.radapter("export", self.model, *self.arch, *words, "--out", out)
        for path in sorted(out.glob("onnx/*.onnx")):
            onnx.checker.check_model(str(path), full_check=True)
        return out

    def embed(self, model, arch):
        """Pixels, token ids, and embeddings of images and texts, as our command makes them."""
        out = self.work / "embeddings.safetensors"
        self.radapter("embed", "--model", model, *arch, "--images", self.images, "--texts", self.texts, "--pixels", "--out", out)
        if self.ids is None:
            ids = self.work / "ids.json"
            self.radapter("tokenize", "--texts", self.texts, "--out", ids)
            self.ids = np.array(json.loads(ids.read_text()), dtype=np.int64)
        with safe_open(out, "numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}


def session(path):
    # A thread's sums do not depend on the others.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def cut(ids):
    """Ids without the padding that no text of the batch needs, which begins after the first largest id."""
    return ids[:, : int(ids.argmax(axis=1).max()) + 1]


def towers(folder, suffix, expected, ids, extra):
    """The largest difference of normalized embeddings, over the ways to batch and to pad."""
    vision = session(folder / f"onnx/vision_model{suffix}.onnx")
    text = session(folder / f"onnx/text_model{suffix}.onnx")
    pixels = expected["pixels"]
    image = lambda pixels: vision.run(["image_embeds"], {"pixel_values": pixels, **extra})[0]
    words = lambda ids: text.run(["text_embeds"], {"input_ids": ids, **extra})[0]
    images = [image(pixels), np.concatenate([image(one[None]) for one in pixels])]
    texts = [words(ids), words(cut(ids)), np.concatenate([words(cut(one[None])) for one in ids])]
    return max(
        *[difference(normalized(rows), expected["image_embeddings"]) for rows in images],
        *[difference(normalized(rows), expected["text_embeddings"]) for rows in texts],
    )


def check_model(peer, arguments, figures):
    expected = peer.embed(peer.model, peer.arch)
    ids = peer.ids
    for opset in arguments.opset:
        folder = peer.export(f"f32-{opset}", "--format", "onnx", "--opset", opset)
        figures["f32"] = max(figures.get("f32", 0.0), towers(folder, "", expected, ids, {}))
        shutil.rmtree(folder)
    folder = peer.export("f16", "--format", "onnx", "--dtype", "f16")
    figures["f16"] = towers(folder, "_fp16", expected, ids, {})
    shutil.rmtree(folder)

    folder = peer.export("single", "--format", "onnx", "--single")
    single = session(folder / "onnx/model.onnx")
    names = [output.name for output in single.get_outputs()]
    # Filled as transformers fills them: with the end of text, which the mask hides.
    mask = (np.arange(ids.shape[1])[None] <= ids.argmax(axis=1)[:, None]).astype(np.int64)
    filled = np.where(mask == 1, ids, ids.max())
    inputs = {"input_ids": filled, "attention_mask": mask, "pixel_values": expected["pixels"]}
    found = dict(zip(names, single.run(names, inputs)))
    figures["single"] = max(difference(found[f"{kind}_embeds"], expected[f"{kind}_embeddings"]) for kind in ["image", "text"])
    if arguments.transformers:
        figures["logits"], figures["single_transformers"] = transformers_logits(peer, inputs, found)


def transformers_logits(peer, inputs, found):
    import torch
    from transformers import CLIPModel

    folder = peer.work / "hf"
    peer.radapter("export", peer.model, *peer.arch, "--format", "hf", "--dtype", "f32", "--out", folder)
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        output = model(**{name: torch.from_numpy(value) for name, value in inputs.items()})
    logits = max(difference(found[name], output[name].numpy()) for name in ["logits_per_image", "logits_per_text"])
    return logits, max(difference(found[name], output[name].numpy()) for name in ["image_embeds", "text_embeds"])


def check_alpha(peer, figures):
    """One export with alpha as an input is each merged model."""
    folder = peer.export("alpha", "--format", "onnx", "--alpha", "input")
    short = peer.export("alpha-f16", "--format", "onnx", "--alpha", "input", "--dtype", "f16")
    ends = []
    for alpha in [0.0, 0.5, 1.0]:
        merged = peer.work / f"merged-{alpha}"
        # Not rounded to the base's dtype.
        peer.radapter("merge", "--run", peer.model, "--alpha", alpha, "--dtype", "f32", "--out", merged)
        expected = peer.embed(merged, [])
        extra = {"alpha": np.array(alpha, dtype=np.float32)}
        figures[f"alpha {alpha}"] = towers(folder, "", expected, peer.ids, extra)
        figures[f"alpha {alpha} f16"] = towers(short, "_fp16", expected, peer.ids, extra)
        ends.append(expected["image_embeddings"])
    # Otherwise nothing was compared.
    figures["moved"] = difference(ends[0], ends[-1])


def random_checkpoint(name, work):
    """A state dict of open_clip's architecture, every value of it random."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = open_clip.create_model(name).state_dict()
    state = {key: value + 0.01 * torch.randn(value.shape) for key, value in state.items() if key != "attn_mask"}
    path = work / f"{name}.safetensors"
    save_file(state, path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--run", action="append", default=[])
    parser.add_argument("--random", action="append", default=[])
    parser.add_argument("--transformers", action="store_true")
    parser.add_argument("--radapter", default="target/release/radapter")
    parser.add_argument("--opset", type=int, action="append")
    parser.add_argument("--images")
    parser.add_argument("--work", help="folder for temporary files [default: the system's]")
    arguments = parser.parse_args()
    arguments.opset = arguments.opset or [18]

    figures = {}
    with tempfile.TemporaryDirectory(dir=arguments.work) as work:
        work = Path(work)
        (work / "texts.json").write_text(json.dumps(TEXTS))
        if arguments.images:
            shutil.copytree(arguments.images, work / "images")
        else:
            (work / "images").mkdir()
            for index, size in enumerate([(97, 61), (120, 160), (64, 64)]):
                bands = [Image.linear_gradient("L").resize(size).rotate(90 * (band + index)) for band in range(3)]
                Image.merge("RGB", bands).save(work / f"images/{index}.png")
        models = [(model, None) for model in arguments.model] + [(name, name) for name in arguments.random]
        for model, arch in models:
            path = random_checkpoint(arch, work) if arch else model
            peer = Peer(arguments, work, path, arch)
            check_model(peer, arguments, figures.setdefault(model, {}))
            shutil.rmtree(peer.work)
            if arch:
                path.unlink()
        for run in arguments.run:
            peer = Peer(arguments, work, run)
            check_alpha(peer, figures.setdefault(f"{run}, alpha as an input", {}))
            shutil.rmtree(peer.work)

    print(json.dumps(figures, indent=1, default=str))
    wrong = []
    for model, found in figures.items():
        for name, value in found.items():
            kind = "f16" if name.endswith("f16") else name.split()[0].removesuffix("_transformers")
            if kind == "moved":
                wrong += [f"{model}: alpha changes nothing"] if value < 1e-3 else []
            elif not value <= LIMITS[kind]:
                wrong.append(f"{model}: {name}")
    if wrong or not figures:
        sys.exit(f"above the limit: {', '.join(wrong)}" if wrong else "nothing to compare; give --model, --run or --random")


if __name__ == "__main__":
    main()
