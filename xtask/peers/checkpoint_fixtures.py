"""Writes crates/clip/tests/fixtures/checkpoint: files as PyTorch writes them, open_clip's model configs, and position
embeddings as torch resizes them. Its output is committed; run it only to change the fixtures.

    pip install torch open_clip_torch
    python xtask/peers/checkpoint_fixtures.py
"""

import json
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parents[2] / "crates/clip/tests/fixtures/checkpoint"
EMBED, WIDTH, LAYERS, PATCH, GRID, CONTEXT, VOCAB = 4, 4, 1, 2, 2, 8, 49408


def expected_shapes():
    """The tensors of the tests' small model under open_clip's names."""
    model = open_clip.model.CLIP(
        EMBED,
        vision_cfg={"image_size": GRID * PATCH, "patch_size": PATCH, "width": WIDTH, "layers": LAYERS, "head_width": 2},
        text_cfg={"context_length": CONTEXT, "vocab_size": VOCAB, "width": WIDTH, "heads": 2, "layers": LAYERS},
        quick_gelu=True,
    )
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def values(index, shape, dtype=torch.float32):
    """Multiples of 1/64, exact in every dtype; the tests compute the same."""
    if shape and shape[0] == VOCAB:
        # One stored value for the whole table: the files stay small.
        return torch.full((1,), index / 64, dtype=dtype).expand(shape)
    count = int(torch.tensor(shape).prod()) if shape else 1
    numbers = [((7 * k + 13 * index) % 64 - 32) / 64 for k in range(count)]
    return torch.tensor(numbers, dtype=dtype).reshape(shape)


def state_dict(dtype=torch.float32):
    shapes = expected_shapes()
    return {name: values(index, shapes[name], dtype) for index, name in enumerate(sorted(shapes))}


def hugging_face(state):
    """The same model under transformers' names, as its conversion script names them."""
    result = {}
    for name, tensor in state.items():
        if name == "visual.proj":
            result["visual_projection.weight"] = tensor.T.contiguous()
            continue
        if name == "text_projection":
            result["text_projection.weight"] = tensor.T.contiguous()
            continue
        name = "vision_model." + name[7:] if name.startswith("visual.") else (
            name if name == "logit_scale" else "text_model." + name)
        for old, new in [
            ("vision_model.class_embedding", "vision_model.embeddings.class_embedding"),
            ("conv1.weight", "embeddings.patch_embedding.weight"),
            ("positional_embedding", "embeddings.position_embedding.weight"),
            ("token_embedding", "embeddings.token_embedding"),
            ("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm"), ("ln_final", "final_layer_norm"),
            ("transformer.resblocks", "encoder.layers"), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"),
            ("attn.out_proj", "self_attn.out_proj"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"),
        ]:
            name = name.replace(old, new)
        if "attn.in_proj_" in name:
            for part, piece in zip("qkv", tensor.chunk(3)):
                result[name.replace("attn.in_proj_", f"self_attn.{part}_proj.")] = piece.clone()
        else:
            result[name] = tensor
    return result


class Wrapped(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)

    def forward(self, x):
        return self.linear(x)


def pytorch_files():
    state = state_dict()
    torch.save(state, OUT / "state_dict.pt")
    torch.save(state, OUT / "legacy.pt", _use_new_zipfile_serialization=False)
    buffers = {name: torch.tensor(1) for name in ["input_resolution", "context_length", "vocab_size"]}
    torch.save({**state_dict(torch.float16), **buffers}, OUT / "open_ai_f16.pt")
    positions = {"text_model.embeddings.position_ids": torch.arange(CONTEXT)[None]}
    torch.save({**hugging_face(state_dict(torch.bfloat16)), **positions}, OUT / "hugging_face_bf16.bin")
    torch.save(state_dict(torch.float64), OUT / "f64.pt")
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    training = {"epoch": 3, "name": "run", "optimizer": optimizer.state_dict()}
    training["state_dict"] = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save(training, OUT / "training.pt")
    torch.jit.script(Wrapped()).save(OUT / "torch_script.pt")


def model_configs():
    names = ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14", "ViT-bigG-14"]
    names += [f"{name}-quickgelu" for name in names]
    configs = {name: open_clip.get_model_config(name) for name in names}
    (OUT / "open_clip_model_configs.json").write_text(json.dumps(configs, indent=1) + "\n")


def numbers(tensor):
    """The fewest digits that identify a float32."""
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


class Sized:
    """The interface that open_clip's resizing functions need of a model."""

    def __init__(self, grid, length, width):
        self.visual = type("Visual", (), {"grid_size": (grid, grid)})()
        self.positional_embedding = torch.zeros(length, width)


def positions():
    """In double precision: what open_clip computes, without the rounding of singles (up to 1.3e-6 here)."""
    generator = torch.Generator().manual_seed(0)
    image, text = [], []
    for old, new in [(4, 7), (7, 4), (7, 3), (2, 5), (5, 6), (1, 3), (3, 1), (7, 10), (10, 7)]:
        before = torch.randn(old * old + 1, 3, generator=generator).double()
        state = {"visual.positional_embedding": before}
        open_clip.model.resize_pos_embed(state, Sized(new, 1, 3))
        after = state["visual.positional_embedding"]
        image.append({"old": old, "new": new, "before": numbers(before), "after": numbers(after)})
    for old, new in [(8, 13), (13, 8), (5, 6)]:
        before = torch.randn(old, 3, generator=generator).double()
        state = {"positional_embedding": before}
        open_clip.model.resize_text_pos_embed(state, Sized(1, new, 3))
        after = state["positional_embedding"]
        text.append({"old": old, "new": new, "before": numbers(before), "after": numbers(after)})
    (OUT / "positions.json").write_text(json.dumps({"width": 3, "image": image, "text": text}) + "\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    pytorch_files()
    model_configs()
    positions()
    for path in sorted(OUT.iterdir()):
        print(f"{path.stat().st_size:8} {path.name}")
