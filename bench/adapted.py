"""OpenCLIP's model with R-Adapter's adapters, and its loss."""

import open_clip
import torch
import torch.nn.functional as F

SCALE, MARGIN, SMOOTHING, TEMPERATURE = 0.1, 0.05, 0.02, 0.01


class Adapter(torch.nn.Module):
    """`y + factor · scale · F y`. The trained parameters are f32 and are cast to the type of the activations in the pass."""

    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(width, width))
        self.scale = torch.nn.Parameter(torch.full((1,), SCALE))
        # γ/(1−p), drawn by the caller before each step so that compiled code does not branch on it.
        self.register_buffer("factor", torch.ones(1), persistent=False)

    def forward(self, y):
        # Under autocast, `linear` casts by itself, and `y` has its type.
        return y + (self.factor * self.scale).to(y.dtype) * F.linear(y, self.weight.to(y.dtype))


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


def model_of(arch, adapters, dtype=torch.float32):
    """A frozen CLIP with random weights of this type, and f32 adapters if asked for."""
    model = open_clip.create_model(arch, pretrained=None).to(dtype)
    model.requires_grad_(False)
    if adapters:
        for transformer in (model.visual.transformer, model.transformer):
            transformer.resblocks = torch.nn.ModuleList(Block(block) for block in transformer.resblocks)
    return model


def adapters_of(model):
    return [module for module in model.modules() if isinstance(module, Adapter)]


def size_of(model):
    """Side of the model's images in pixels."""
    size = model.visual.image_size
    return size[0] if isinstance(size, (tuple, list)) else size


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
