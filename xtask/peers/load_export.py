"""Shows that open_clip and transformers load our exports, and that both compute the same embeddings.

    pip install torch open_clip_torch transformers Pillow safetensors
    python xtask/peers/load_export.py --open-clip DIR --hugging-face DIR [--golden FOLDER] [--images FOLDER]

Both directories are exports of one model. Token ids, pixels and embeddings of the two libraries are compared with each
other; with --golden also with the folder's expected values, which both must meet. Prints a JSON object with the
largest differences; the exit status is 1 if one is above its limit.

Pixels are compared where both libraries crop at the same place: torchvision rounds half of an odd margin to even,
transformers rounds it down. For the embeddings both get open_clip's pixels.
"""

import argparse
import json
import sys
from pathlib import Path

import open_clip
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPModel, CLIPProcessor

TEXTS = ["a photo of a cat.", "two dogs run, jump & play in the snow!", "1234567890 3.14159", "don't stop", "naïve café"]


def images(folder):
    if folder:
        return [Image.open(path).convert("RGB") for path in sorted(Path(folder).glob("*.png"))]
    # A gradient with a little structure, in two shapes.
    sizes = [(97, 61), (120, 160)]
    return [Image.merge("RGB", [Image.linear_gradient("L").resize(size).rotate(90 * i) for i in range(3)]) for size in sizes]


def difference(a, b):
    return (a.double() - b.double()).abs().max().item()


def same_crop(picture, side):
    """Whether torchvision and transformers crop the same square from the resized image."""
    short, long = sorted(picture.size)
    margin = int(side * long / short) - side
    return round(margin / 2) == margin // 2


def features(output):
    """The projected embedding: a tensor, or in newer transformers an object that holds it."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--open-clip", required=True)
    parser.add_argument("--hugging-face", required=True)
    parser.add_argument("--golden")
    parser.add_argument("--images")
    arguments = parser.parse_args()

    golden = json.loads((Path(arguments.golden) / "manifest.json").read_text()) if arguments.golden else None
    pictures = images(arguments.images or (f"{arguments.golden}/images" if golden else None))

    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{arguments.open_clip}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{arguments.open_clip}")
    pixels = torch.stack([preprocess(picture) for picture in pictures])
    ids = tokenizer(TEXTS)
    ours = {"image": model.eval().encode_image(pixels, normalize=True), "text": model.encode_text(ids, normalize=True)}

    other = CLIPModel.from_pretrained(arguments.hugging_face, dtype=torch.float32).eval()
    # The backend that resizes with Pillow, as open_clip does.
    processor = CLIPProcessor.from_pretrained(arguments.hugging_face, backend="pil")
    batch = processor(text=TEXTS, images=pictures, return_tensors="pt", padding="max_length")
    theirs = {
        "image": torch.nn.functional.normalize(features(other.get_image_features(pixel_values=pixels)), dim=-1),
        "text": torch.nn.functional.normalize(
            features(other.get_text_features(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])), dim=-1),
    }
    # open_clip fills with zeros behind the end token, transformers with the end token.
    lengths = (ids != 0).sum(1)
    same_ids = all(torch.equal(ids[i, :n], batch["input_ids"][i, :n]) for i, n in enumerate(lengths))

    same = [i for i, picture in enumerate(pictures) if same_crop(picture, pixels.shape[-1])]
    figures = {
        "token_ids_equal": same_ids,
        "images": len(pictures),
        "images_cropped_alike": len(same),
        "pixels": difference(pixels[same], batch["pixel_values"][same]),
        "image_embeddings": difference(ours["image"], theirs["image"]),
        "text_embeddings": difference(ours["text"], theirs["text"]),
        "logit_scale": difference(model.logit_scale, other.logit_scale),
    }
    limits = {"pixels": 1e-6, "image_embeddings": 5e-6, "text_embeddings": 5e-6, "logit_scale": 0.0, "golden_pixels": 1e-6}
    if golden:
        expected = load_file(f"{arguments.golden}/expected.safetensors")
        ids = tokenizer(golden["texts"])
        figures["golden_token_ids_equal"] = torch.equal(ids, expected["tokens"].to(ids.dtype))
        figures["golden_pixels"] = difference(pixels, expected["pixels"])
        text = model.encode_text(ids, normalize=True)
        figures["golden_open_clip_image"] = difference(ours["image"], expected["image_embeddings"])
        figures["golden_open_clip_text"] = difference(text, expected["text_embeddings"])
        text = torch.nn.functional.normalize(features(other.get_text_features(input_ids=ids)), dim=-1)
        figures["golden_transformers_image"] = difference(theirs["image"], expected["image_embeddings"])
        figures["golden_transformers_text"] = difference(text, expected["text_embeddings"])
        limits |= {f"golden_{library}_{tower}": 5e-6 for library in ["open_clip", "transformers"] for tower in ["image", "text"]}
    print(json.dumps(figures, indent=1))
    wrong = [name for name, limit in limits.items() if figures.get(name, 0.0) > limit]
    wrong += [name for name, value in figures.items() if value is False]
    # A picture of each kind, or nothing was compared.
    wrong += [] if same else ["images_cropped_alike"]
    if wrong:
        sys.exit(f"above the limit: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
