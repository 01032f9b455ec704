"""Train a CLIP: pictures and the words for them into one space, by contrast with the other pictures and words of a batch.

    python -m train.clip [--config train/configs/clip.yaml] [--base DIR] [--out DIR] [--set loss=siglip] [--resume RUN]

Data: any table of pictures and texts (`train/pictures/captions.py`; ours: `python -m demo.picture_set var/training/pictures`). Model: a
small one from scratch, or the one in `base` (`train/pictures/clip_start.py`). Losses: CLIP's and SigLIP's, over all workers' pairs
(`train/pictures/clip_loss.py`). Held out: whole products. The model directory also holds what cosines mean (`multimodal.fusion.calibrate`).
Distillation is not here.
"""

import json
import random
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from multimodal.clip import KIND, write_calibration
from multimodal.fusion import calibrate
from train import job
from train.pictures.captions import Picture, pools, read_sides
from train.pictures.clip_config import CONFIG_FILE, WEIGHTS_FILE, ClipConfig
from train.pictures.clip_loss import Contrast
from train.pictures.clip_start import Start, begin
from train.reports.exhibits import Exhibits
from train.run import worker
from train.run.loop import Batch, Recipe, fit, seed_everything
from train.run.settings import data_hash, read_command_line
from train.texts.data_card import DATA_CARD, plain_card
from train.texts.vocabulary import save_tokenizer

_CHUNK = 128


def loop(config: ClipConfig) -> None:
    """One worker's part of the run."""
    seed_everything(config.seed)
    start = begin(config)
    training, held_out, _ = read_sides(config.source())
    texts = sorted({text for picture in (*training, *held_out) for _, text in picture.texts})
    rows = dict(zip(texts, start.tokens(texts), strict=True))

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        draws = [random.Random(f"{config.seed}/{epoch}/{number}") for number in numbers]
        pictures = [training[number] for number in numbers]
        return {
            "image": torch.stack([view(picture, start, draw, config.least_crop) for picture, draw in zip(pictures, draws, strict=True)]),
            "text": torch.stack([rows[draw.choice(picture.texts)[1]] for picture, draw in zip(pictures, draws, strict=True)]),
        }

    contrast = Contrast(config.loss, worker.rank(), worker.world_size())
    alone = Contrast(config.loss)
    recipe = Recipe(
        count=len(training),
        batch=batch,
        loss=contrast.of_batch,
        evaluate=partial(judge, start=start, rows=rows, pictures=held_out, contrast=alone),
        export=partial(export, start=start, rows=rows, pictures=held_out, contrast=alone),
        exhibits=lambda model: Exhibits(pages={DATA_CARD: card(config, training, held_out)}),
    )
    fit(config, start.model, recipe)


def card(config: ClipConfig, training: Sequence[Picture], held_out: Sequence[Picture]) -> str:
    """The data card: each text of either side once; of pictures their number."""
    training_texts, held_out_texts = (
        list(dict.fromkeys(text for picture in side for _, text in picture.texts)) for side in (training, held_out)
    )
    files = [path for path in (config.data, config.images) if path]
    about = f"{config.about_data} ({len(training):,} pictures, {len(held_out):,} held out)".strip()
    return plain_card(training_texts, held_out_texts, files, {}, name=config.name, about=about, hashed=data_hash(files))


def view(picture: Picture, start: Start, draw: random.Random, least_crop: float) -> Tensor:
    """A random crop of a picture, ready for the model."""
    opened = picture.open()
    share = draw.uniform(least_crop, 1)
    width, height = opened.width * share, opened.height * share
    left, top = draw.uniform(0, opened.width - width), draw.uniform(0, opened.height - height)
    return cast(Tensor, start.preprocess(opened.crop((round(left), round(top), round(left + width), round(top + height)))))


def embed(model: nn.Module, start: Start, rows: Mapping[str, Tensor], pairs: Sequence[tuple[Picture, str]]) -> tuple[Tensor, Tensor]:
    """Normalised embeddings of pictures and their texts: (n, d) each, without gradients."""
    encoder: Any = model
    device = next(model.parameters()).device
    images, texts = [], []
    for first in range(0, len(pairs), _CHUNK):
        part = pairs[first : first + _CHUNK]
        pixels = torch.stack([start.preprocess(picture.open()) for picture, _ in part])
        images.append(encoder.encode_image(pixels.to(device), normalize=True))
        texts.append(encoder.encode_text(torch.stack([rows[text] for _, text in part]).to(device), normalize=True))
    return torch.cat(images).float().cpu(), torch.cat(texts).float().cpu()


def judge(
    model: nn.Module, *, start: Start, rows: Mapping[str, Tensor], pictures: Sequence[Picture], contrast: Contrast
) -> dict[str, float]:
    """On pools of up to 100 pictures of different held-out products: `top1_<language>`, the share of captions (each picture's first text)
    whose own picture is the nearest, and `held_out_loss`."""
    found: dict[str, list[float]] = {}
    losses: list[float] = []
    for language, pool in pools(pictures):
        images, texts = embed(model, start, rows, pool)
        found.setdefault(f"top1_{language}", []).extend((texts @ images.T).argmax(1).eq(torch.arange(len(pool))).float().tolist())
        losses.append(float(contrast.of(images, texts, model)))
    return {key: float(np.mean(hits)) for key, hits in found.items()} | ({"held_out_loss": float(np.mean(losses))} if losses else {})


@torch.no_grad()
def export(
    model: nn.Module, directory: Path, *, start: Start, rows: Mapping[str, Tensor], pictures: Sequence[Picture], contrast: Contrast
) -> None:
    """Write the model in fp16 with its config, tokenizer and calibration: what `open_clip`'s `local-dir:` and `ClipModel` load."""
    directory.mkdir(parents=True, exist_ok=True)
    save_file({key: _packed(value) for key, value in model.state_dict().items()}, directory / WEIGHTS_FILE)
    (directory / CONFIG_FILE).write_text(json.dumps(start.described, indent=2) + "\n", encoding="utf-8")
    if start.tokenizer is not None:
        save_tokenizer(start.tokenizer, directory)
    images, texts = embed(model, start, rows, [(picture, text) for picture in pictures for _, text in picture.texts])
    owner = np.repeat(np.arange(len(pictures)), [len(picture.texts) for picture in pictures])
    products = np.array([picture.product for picture in pictures])[owner]
    other = np.random.default_rng(0).permutation(len(owner))
    if (products == products[other]).all():  # so few that the draw found no mismatch
        other = (products != products[:, None]).argmax(1)
    apart = products != products[other]  # a product's other views are no mismatch
    matching, mismatched = (images * texts).sum(1).double().numpy(), (images[other] * texts).sum(1).double().numpy()[apart]
    write_calibration(calibrate(matching, mismatched, contrast.scale(model)), directory)


def _packed(value: Tensor) -> Tensor:
    """Matrices in fp16; vectors and running statistics, which are few and reach further, as they are."""
    return (value.half() if value.ndim > 1 else value).cpu().contiguous()


def main() -> None:
    """The command line."""
    config, resume = read_command_line(ClipConfig, Path("train/configs/clip.yaml"))
    data = [config.data, *(path for path in (config.images, config.tokenizer, config.base) if path)]
    card = job.launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    job.run_command(main)
