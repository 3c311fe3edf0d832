"""One training step of R-Adapter, its image half, or CLIP's inference, in PyTorch; timings as a JSON line.

The step is the published one: adapters `y + s·γ/(1−p)·F y` behind attention and MLP of every block of both towers, everything else
frozen, captions padded to 77 tokens, MPM-NCE, clipping by the global norm, AdamW, moving average of the adapters.
"""

import argparse
import copy
import json
import os
import resource
import statistics
import time

import torch
import torch.nn.functional as F

DROP, SCALE, DECAY, MARGIN, SMOOTHING, TEMPERATURE = 0.2, 0.1, 0.999, 0.05, 0.02, 0.01
CLASSES = ["tench", "goldfish", "great white shark", "hen", "ostrich", "brambling", "junco", "magpie", "kite", "bald eagle"]


class Adapter(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(width, width))
        self.scale = torch.nn.Parameter(torch.full((1,), SCALE))
        # γ/(1−p), drawn by the caller before each step so that compiled code does not branch on it.
        self.register_buffer("factor", torch.ones(1), persistent=False)

    def forward(self, y):
        return y + self.factor * self.scale * F.linear(y, self.weight)


class Block(torch.nn.Module):
    """open_clip's residual block with adapters behind its sublayers."""

    def __init__(self, block):
        super().__init__()
        self.block = block
        width = block.attn.embed_dim
        self.adapter_attn, self.adapter_mlp = Adapter(width), Adapter(width)

    def get_weight_dtype(self):
        return self.block.get_weight_dtype()

    def forward(self, x, *args, attn_mask=None, **kwargs):
        mask = attn_mask.to(x.dtype) if attn_mask is not None else None
        normal = self.block.ln_1(x)
        attended = self.block.attn(normal, normal, normal, need_weights=False, attn_mask=mask)[0]
        x = x + self.adapter_attn(attended)
        return x + self.adapter_mlp(self.block.mlp(self.block.ln_2(x)))


def model_of(arch, adapters):
    import open_clip

    model = open_clip.create_model(arch, pretrained=None)
    model.requires_grad_(False)
    if adapters:
        for transformer in (model.visual.transformer, model.transformer):
            transformer.resblocks = torch.nn.ModuleList(Block(block) for block in transformer.resblocks)
    return model


def adapters_of(model):
    return [module for module in model.modules() if isinstance(module, Adapter)]


def mpm_nce(image, text, labels):
    same = (labels[:, None] == labels[None, :]).float()
    positives = same.sum(1, keepdim=True)
    negatives = same.shape[1] - positives
    target = (1 - SMOOTHING) * same / positives + SMOOTHING * (1 - same) / negatives.clamp(min=1)
    logits = image @ text.T
    loss = 0.0
    for side in (logits, logits.T):
        side = (side + MARGIN * (1 - same)) / TEMPERATURE
        loss = loss + 0.5 * -(target * F.log_softmax(side.float(), 1)).sum(1).mean()
    return loss


def size_of(model):
    size = model.visual.image_size
    return size[0] if isinstance(size, (tuple, list)) else size


class Work:
    """What is timed: `run()` does it once."""

    def __init__(self, args):
        self.args = args
        self.device = torch.device(args.device)
        self.dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
        torch.manual_seed(0)
        training = args.part != "inference"
        self.model = model_of(args.arch, adapters=training).to(self.device)
        size = size_of(self.model)
        self.pixels = torch.randn(args.batch, 3, size, size, device=self.device)
        self.labels = torch.arange(args.batch, device=self.device) % len(CLASSES)
        if args.part == "step":
            import open_clip

            tokenizer = open_clip.get_tokenizer(args.arch)
            captions = [f"a photo of a {CLASSES[i % len(CLASSES)]}." for i in range(args.batch)]
            self.tokens = tokenizer(captions).to(self.device)
        if training:
            self.model.train()
            adapters = adapters_of(self.model if args.part == "step" else self.model.visual)
            self.adapters = adapters
            self.trained = [p for adapter in adapters for p in (adapter.weight, adapter.scale)]
            self.averages = [p.detach().clone() for p in self.trained]
            decayed = {"weight_decay": 0.0, "lr": 5e-4, "betas": (0.9, 0.999), "eps": 1e-8}
            self.optimizer = torch.optim.AdamW(self.trained, **decayed, **({"fused": True} if args.fused else {}))
        else:
            self.model.eval()
        for p in self.model.parameters():
            p.requires_grad_(False)
        if training:
            for p in self.trained:
                p.requires_grad_(True)
        self.image = self.model.encode_image
        self.text = self.model.encode_text
        if args.mode == "compile":
            self.image, self.text = torch.compile(self.image), torch.compile(self.text)
        self.session = self.onnx() if args.mode == "onnx" else None
        self.fixed = F.normalize(torch.randn(args.batch, self.model.visual.output_dim, device=self.device), dim=1)

    def onnx(self):
        import tempfile

        import onnxruntime

        model, folder = self.model.visual.eval(), tempfile.mkdtemp()
        path = os.path.join(folder, "visual.onnx")
        torch.backends.mha.set_fastpath_enabled(False)
        torch.onnx.export(model, (self.pixels,), path, input_names=["pixels"], output_names=["out"], dynamo=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.host = self.pixels.numpy()
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def autocast(self):
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    def run(self):
        if self.args.part == "inference":
            if self.session is not None:
                self.session.run(None, {"pixels": self.host})
                return
            with torch.no_grad(), self.autocast():
                F.normalize(self.image(self.pixels).float(), dim=1)
            return
        for adapter in self.adapters:
            adapter.factor.fill_(0.0 if torch.rand(()) < DROP else 1 / (1 - DROP))
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            image = F.normalize(self.image(self.pixels).float(), dim=1)
            if self.args.part == "image":
                loss = (image * self.fixed).sum()
            else:
                loss = mpm_nce(image, F.normalize(self.text(self.tokens).float(), dim=1), self.labels)
        loss.backward()
        if self.args.part == "image":
            return
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_mul_(self.averages, DECAY)
            torch._foreach_add_(self.averages, self.trained, alpha=1 - DECAY)
        loss.item()

    def finish(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def peak_gemm(device, dtype):
    """GFLOP/s of a large matrix product."""
    size = 1024 if device.type == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times = []
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times) / 1e9


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", default="ViT-B-32-quickgelu")
    parser.add_argument("--part", choices=["step", "image", "inference"], default="step")
    parser.add_argument("--mode", choices=["eager", "compile", "onnx"], default="eager")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fused", action="store_true", help="AdamW's fused kernel")
    parser.add_argument("--tf32", action="store_true", help="let a GPU multiply f32 in TF32")
    args = parser.parse_args()
    if args.tf32:
        torch.set_float32_matmul_precision("high")
    work = Work(args)
    for _ in range(args.warm_up):
        work.run()
    work.finish()
    reset_peak()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    times = []
    for _ in range(args.steps):
        start = time.perf_counter()
        work.run()
        work.finish()
        times.append(time.perf_counter() - start)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    cuda = work.device.type == "cuda"
    # The process that runs ONNX Runtime has made the file with PyTorch before: its memory says nothing.
    peak = torch.cuda.max_memory_reserved() if cuda else None if args.mode == "onnx" else peak_memory()
    print(json.dumps({
        "seconds": statistics.median(times),
        "all_seconds": times,
        "samples_per_second": args.batch / statistics.median(times),
        "peak_memory_mib": None if peak is None else peak / 2**20,
        "minor_faults_per_step": faults / args.steps,
        "gemm_gflops": peak_gemm(work.device, work.dtype),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }))


if __name__ == "__main__":
    main()
