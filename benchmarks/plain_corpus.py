"""What `corpus` does, as one would write it in a script: a loop over the pairs of img2dataset tars,
one process, one thread, batches of 32. Decode, NIMA, CLIP of picture and caption; nothing else: no
checks, no hashes, no normalising, and nothing is written. The peer that the job is timed against.

    python benchmarks/plain_corpus.py TARS NIMA.safetensors CLIP.safetensors PRECISION
"""

import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import open_clip
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision import transforms

BATCH = 32
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def read(folder: str) -> Iterator[tuple[Image.Image, str]]:
    """(picture, caption) of each pair."""
    for path in sorted(Path(folder).glob("*.tar")):
        with tarfile.open(path) as archive:
            members = {m.name: archive.extractfile(m).read() for m in archive}
        for name, data in members.items():
            if name.endswith(".jpg"):
                picture = Image.open(io.BytesIO(data)).convert("RGB")
                yield picture, members[name.removesuffix("jpg") + "txt"].decode()


def main(folder: str, nima_file: str, clip_file: str, precision: str) -> None:
    """Scores and embeds all pairs, and prints how many."""
    torch.set_num_threads(1)
    kind = TYPES[precision]
    nima = timm.create_model("mobilenetv1_100", num_classes=10)
    nima.load_state_dict(load_file(nima_file))
    nima.eval().to(kind)
    clip = open_clip.create_model("ViT-B-32", load_weights=False, precision=precision)
    clip.load_state_dict(load_file(clip_file))
    clip.eval()
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    normalise = transforms.Normalize([0.5] * 3, [0.5] * 3)
    for_nima = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor(), normalise])
    for_clip = open_clip.image_transform(224, is_train=False)
    scores, vectors, texts, held = [], [], [], []

    def flush() -> None:
        small, large, captions = zip(*held, strict=True)
        scores.append(nima(torch.stack(small).to(kind)).softmax(1))
        vectors.append(clip.encode_image(torch.stack(large).to(kind), normalize=True))
        texts.append(clip.encode_text(tokenizer(list(captions)), normalize=True))
        held.clear()

    with torch.inference_mode():
        for picture, caption in read(folder):
            held.append((for_nima(picture), for_clip(picture), caption))
            if len(held) == BATCH:
                flush()
        if held:
            flush()
    print(f"{sum(map(len, scores))} pictures, {vectors[0].shape[1]} numbers each")


if __name__ == "__main__":
    main(*sys.argv[1:])
