"""The ways to run the peer: one declaration each."""

import dataclasses
import json
import os

PARTS = ("step", "image", "inference", "products")


@dataclasses.dataclass(frozen=True)
class Mode:
    name: str
    engine: str = "pytorch"
    # "f32", "autocast" (weights f32, products bf16) or "bf16" (frozen weights and activations bf16).
    precision: str = "f32"
    compiled: bool = False
    tf32: bool = False
    parts: tuple = PARTS
    # Variables that the process must start with.
    environment: dict = dataclasses.field(default_factory=dict)

    def unfit(self, part, device):
        """Why the mode cannot run this work; `None` if it can."""
        if part not in self.parts:
            return f"{self.name} runs only {', '.join(self.parts)}"
        if self.tf32 and device == "cpu":
            return "TF32 is a format of GPUs"
        if self.engine != "pytorch" and device != "cpu":
            return f"{self.name} is compared on the CPU only"
        return None


TRAINING = ("step", "image", "inference")

MODES = {
    "eager": Mode("PyTorch eager"),
    "compile": Mode("PyTorch compiled", compiled=True, parts=TRAINING),
    "eager-bf16": Mode("PyTorch eager, bf16 autocast", precision="autocast", parts=TRAINING),
    "compile-bf16": Mode("PyTorch compiled, bf16 autocast", precision="autocast", compiled=True, parts=TRAINING),
    "bf16-pure": Mode("PyTorch eager, pure bf16", precision="bf16"),
    "bf16-pure-compile": Mode("PyTorch compiled, pure bf16", precision="bf16", compiled=True, parts=TRAINING),
    "eager-tf32": Mode("PyTorch eager, TF32", tf32=True),
    "eager-hugepages": Mode(
        "PyTorch eager, huge pages", parts=TRAINING, environment={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    ),
    "onnx": Mode("ONNX Runtime", engine="onnx", parts=("inference",)),
    "openvino": Mode("OpenVINO", engine="openvino", parts=("inference",)),
    "openvino-bf16": Mode("OpenVINO bf16", engine="openvino", precision="bf16", parts=("inference",)),
}


def listed():
    """The modes as JSON, for `cargo xtask bench`."""
    return json.dumps([{"key": key, "name": mode.name} for key, mode in MODES.items()])


def start_environment(mode, preload):
    """Variables that this process lacks and must have been started with."""
    wanted = dict(mode.environment)
    if preload:
        wanted["LD_PRELOAD"] = preload
    return {key: value for key, value in wanted.items() if os.environ.get(key) != value}
