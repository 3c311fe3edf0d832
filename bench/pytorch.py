"""A training step of R-Adapter, its image half, or inference, in PyTorch."""

import open_clip
import torch
import torch.nn.functional as F

from adapted import adapters_of, model_of, mpm_nce, size_of

DROP, DECAY = 0.2, 0.999
CLASSES = ["tench", "goldfish", "great white shark", "hen", "ostrich", "brambling", "junco", "magpie", "kite", "bald eagle"]


class Work:
    """What is timed: `run()` does it once, `finish()` waits for the device."""

    def __init__(self, args, mode):
        self.part, self.device = args.part, torch.device(args.device)
        self.autocasts = mode.precision == "autocast"
        self.dtype = torch.bfloat16 if mode.precision == "bf16" else torch.float32
        self.product_dtype = torch.float32 if mode.precision == "f32" else torch.bfloat16
        torch.manual_seed(0)
        training = args.part != "inference"
        model = model_of(args.arch, training, self.dtype).to(self.device).train(training)
        size = size_of(model)
        self.pixels = torch.randn(args.batch, 3, size, size, device=self.device, dtype=self.dtype)
        self.fixed = F.normalize(torch.randn(args.batch, model.visual.output_dim, device=self.device), dim=1)
        self.labels = torch.arange(args.batch, device=self.device) % len(CLASSES)
        if args.part == "step":
            captions = [f"a photo of a {CLASSES[i % len(CLASSES)]}." for i in range(args.batch)]
            self.tokens = open_clip.get_tokenizer(args.arch)(captions).to(self.device)
        if training:
            self.prepare_training(model if args.part == "step" else model.visual, args.fused)
        self.image, self.text = model.encode_image, model.encode_text
        if mode.compiled:
            self.compile(frozen=not training)

    def prepare_training(self, trained, fused):
        self.adapters = adapters_of(trained)
        self.trained = [p for adapter in self.adapters for p in (adapter.weight, adapter.scale)]
        self.averages = [p.detach().clone() for p in self.trained]
        settings = {"weight_decay": 0.0, "lr": 5e-4, "betas": (0.9, 0.999), "eps": 1e-8}
        self.optimizer = torch.optim.AdamW(self.trained, **settings, **({"fused": True} if fused else {}))

    def compile(self, frozen):
        if frozen:
            import torch._inductor.config as inductor

            # Weights are constants of the compiled code, which stores them as its matrix products read them.
            inductor.freezing = True
        self.image, self.text = torch.compile(self.image), torch.compile(self.text)

    def embed(self, encode, given):
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.autocasts):
            return F.normalize(encode(given).float(), dim=1)

    def run(self):
        if self.part == "inference":
            with torch.no_grad():
                self.embed(self.image, self.pixels)
            return
        for adapter in self.adapters:
            adapter.factor.fill_(0.0 if torch.rand(()) < DROP else 1 / (1 - DROP))
        self.optimizer.zero_grad(set_to_none=True)
        image = self.embed(self.image, self.pixels)
        if self.part == "image":
            (image * self.fixed).sum().backward()
            return
        loss = mpm_nce(image, self.embed(self.text, self.tokens), self.labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_mul_(self.averages, DECAY)
            torch._foreach_add_(self.averages, self.trained, alpha=1 - DECAY)
        loss.item()

    def finish(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()
