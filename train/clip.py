"""Train a CLIP: pictures and the words for them into one space, by contrast with the other pictures and words of a batch.

    python -m train.clip [--config train/configs/clip.yaml] [--base DIR] [--out DIR] [--set key=value] [--resume RUN]

Data: any table of pictures and texts (`train/captions.py`; ours: `python -m demo.picture_set var/training/pictures`). Model: a small one
from scratch, or the one in `base` (a directory with open_clip_config.json). Loss: CLIP's (Radford et al. 2021) over all workers' pairs.
Held out: whole products. The model directory also holds what cosines mean (`multimodal.fusion.calibrate`). Distillation is not here.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from pydantic import Field, model_validator
from safetensors.torch import save_file
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from artifacts.card import CARD, verify
from multimodal.clip import KIND, write_calibration
from multimodal.fusion import calibrate
from multimodal.media import open_image
from train import job
from train.captions import Picture, pools, read_pictures
from train.loop import Batch, Recipe, fit, seed_everything
from train.settings import InputPath, TrainConfig, read_command_line
from train.tokenizer import save_tokenizer

_CONFIG_FILE = "open_clip_config.json"
_WEIGHTS_FILE = "open_clip_model.safetensors"
_MAX_SCALE = 100.0  # Radford et al. clip the logit scale here, against instability
_CHUNK = 128


class ClipConfig(TrainConfig):
    """What a CLIP needs besides the settings of every run. The sizes are for a model from scratch."""

    data: InputPath
    """Parquet table of pictures and texts, or a directory that holds pictures.parquet."""
    base: InputPath | None = None
    """Model directory to start from; none means from scratch."""
    tokenizer: InputPath | None = None
    """Tokenizer directory; needed from scratch, else the base's own."""
    held_out: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of products held out, where the table has no `split` column."""
    least_crop: float = Field(default=0.85, gt=0, le=1)
    """Training sees a random crop of at least this share of a picture's side."""
    image_size: int = Field(default=64, ge=32, multiple_of=32)
    embed_dim: int = 128
    vision_blocks: tuple[int, int, int, int] = (1, 1, 1, 1)
    """Blocks in each stage of CLIP's ResNet. At this size it learns in a tenth of the examples that a transformer of patches needs."""
    vision_width: int = 12
    text_width: int = 96
    text_layers: int = 2
    head_width: int = 32
    context_length: int = 48

    @model_validator(mode="after")
    def _has_a_start(self) -> Self:
        if self.base is None and self.tokenizer is None:
            raise ValueError("neither base nor tokenizer is given; name a tokenizer directory (python -m train.tokenizer) or a base")
        if self.base is not None and not (self.base / _CONFIG_FILE).is_file():
            raise ValueError(f"base = {str(self.base)!r} holds no {_CONFIG_FILE}; name an open_clip model directory")
        return self


@dataclass(frozen=True)
class Start:
    """A model to train with what belongs to it: `described` is its open_clip_config.json."""

    model: nn.Module
    described: Mapping[str, Any]
    tokenizer: PreTrainedTokenizerFast | None

    @cached_property
    def preprocess(self) -> Any:
        """Picture → (3, size, size), as serving does it."""
        settings = PreprocessCfg(**{"size": self.described["model_cfg"]["vision_cfg"]["image_size"], **self.described["preprocess_cfg"]})
        return image_transform_v2(settings, is_train=False)

    def tokens(self, texts: Sequence[str], base: Path | None) -> Tensor:
        """(n, context length), as open_clip's tokenizer makes them in serving: the end token is kept when a text is cut."""
        if base:
            return cast(Tensor, open_clip.get_tokenizer(f"local-dir:{base}")(list(texts)))
        assert self.tokenizer is not None
        length = self.described["model_cfg"]["text_cfg"]["context_length"]
        tidy = [" ".join(text.split()) for text in texts]
        return cast(Tensor, self.tokenizer(tidy, return_tensors="pt", max_length=length, padding="max_length", truncation=True).input_ids)


def loop(config: ClipConfig) -> None:
    """One worker's part of the run."""
    seed_everything(config.seed)
    start = begin(config)
    training, held_out = read_pictures(config.data, config.held_out, config.seed)
    texts = sorted({text for picture in (*training, *held_out) for _, text in picture.texts})
    rows = dict(zip(texts, start.tokens(texts, config.base), strict=True))

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        draws = [random.Random(f"{config.seed}/{epoch}/{number}") for number in numbers]
        pictures = [training[number] for number in numbers]
        return {
            "image": torch.stack([view(picture, start, draw, config.least_crop) for picture, draw in zip(pictures, draws, strict=True)]),
            "text": torch.stack([rows[draw.choice(picture.texts)[1]] for picture, draw in zip(pictures, draws, strict=True)]),
        }

    judged = partial(judge, start=start, rows=rows, pictures=held_out)
    recipe = Recipe(
        count=len(training),
        batch=batch,
        loss=partial(contrast, losses=_loss_over_workers()),
        evaluate=judged,
        export=partial(export, start=start, rows=rows, pictures=held_out, base=config.base),
    )
    fit(config, start.model, recipe)


def begin(config: ClipConfig) -> Start:
    """The model to start from: the base's, checked against its card where it has one, or a new small one."""
    if config.base:
        if (config.base / CARD).is_file():
            verify(config.base, KIND)
        described = json.loads((config.base / _CONFIG_FILE).read_text(encoding="utf-8"))
        model = open_clip.create_model(f"local-dir:{config.base}", require_pretrained=True)
        return Start(
            model, {"preprocess_cfg": {}, **described}, getattr(open_clip.get_tokenizer(f"local-dir:{config.base}"), "tokenizer", None)
        )
    assert config.tokenizer is not None
    verify(config.tokenizer, "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(config.tokenizer)
    # The text tower reads its answer at the end token, so that every text must have one, also when it is cut.
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"$A {tokenizer.eos_token}", special_tokens=[(tokenizer.eos_token, tokenizer.eos_token_id)]
    )
    model_cfg = _sizes(config, tokenizer)
    return Start(open_clip.model.CLIP(**model_cfg), {"model_cfg": model_cfg, "preprocess_cfg": {}}, tokenizer)


def _sizes(config: ClipConfig, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "embed_dim": config.embed_dim,
        "vision_cfg": {
            "image_size": config.image_size,
            "width": config.vision_width,
            "layers": list(config.vision_blocks),
            "head_width": config.head_width,
        },
        "text_cfg": {
            "context_length": config.context_length,
            "vocab_size": len(tokenizer),
            "hf_tokenizer_name": "the model directory's own",  # local-dir: always reads it from there
            "width": config.text_width,
            "heads": config.text_width // config.head_width,
            "layers": config.text_layers,
            "pool_type": "eos",
            "pad_id": tokenizer.pad_token_id,
            "eos_id": tokenizer.eos_token_id,
        },
    }


def view(picture: Picture, start: Start, draw: random.Random, least_crop: float) -> Tensor:
    """A random crop of a picture, ready for the model."""
    opened = open_image(picture.path)
    share = draw.uniform(least_crop, 1)
    width, height = opened.width * share, opened.height * share
    left, top = draw.uniform(0, opened.width - width), draw.uniform(0, opened.height - height)
    return cast(Tensor, start.preprocess(opened.crop((round(left), round(top), round(left + width), round(top + height)))))


def _loss_over_workers() -> nn.Module:
    """CLIP's loss in which every worker's pairs are the others' negatives; by default open_clip's would ignore them."""
    several = job.world_size() > 1
    return cast(nn.Module, open_clip.ClipLoss(local_loss=several, gather_with_grad=several, rank=job.rank(), world_size=job.world_size()))


def contrast(model: nn.Module, batch: Batch, *, losses: nn.Module) -> Tensor:
    """The loss of one batch."""
    images, texts, scale = model(batch["image"], batch["text"])
    return cast(Tensor, losses(images.float(), texts.float(), scale.float().clamp(max=_MAX_SCALE)))


def embed(model: nn.Module, start: Start, rows: Mapping[str, Tensor], pairs: Sequence[tuple[Picture, str]]) -> tuple[Tensor, Tensor]:
    """Normalised embeddings of pictures and their texts: (n, d) each, without gradients."""
    encoder: Any = model
    device = next(model.parameters()).device
    images, texts = [], []
    for begin in range(0, len(pairs), _CHUNK):
        part = pairs[begin : begin + _CHUNK]
        pixels = torch.stack([start.preprocess(open_image(picture.path)) for picture, _ in part])
        images.append(encoder.encode_image(pixels.to(device), normalize=True))
        texts.append(encoder.encode_text(torch.stack([rows[text] for _, text in part]).to(device), normalize=True))
    return torch.cat(images).float().cpu(), torch.cat(texts).float().cpu()


def judge(model: nn.Module, *, start: Start, rows: Mapping[str, Tensor], pictures: Sequence[Picture]) -> dict[str, float]:
    """On pools of up to 100 pictures of different held-out products: `top1_<language>`, the share of captions (each picture's first text)
    whose own picture is the nearest, and `held_out_loss`."""
    found: dict[str, list[float]] = {}
    losses: list[float] = []
    loss = open_clip.ClipLoss()
    for language, pool in pools(pictures):
        images, texts = embed(model, start, rows, pool)
        scale = cast(Tensor, model.logit_scale).exp().clamp(max=_MAX_SCALE).cpu()
        found.setdefault(f"top1_{language}", []).extend((texts @ images.T).argmax(1).eq(torch.arange(len(pool))).float().tolist())
        losses.append(float(loss(images, texts, scale)))
    return {key: float(np.mean(hits)) for key, hits in found.items()} | ({"held_out_loss": float(np.mean(losses))} if losses else {})


@torch.no_grad()
def export(
    model: nn.Module, directory: Path, *, start: Start, rows: Mapping[str, Tensor], pictures: Sequence[Picture], base: Path | None
) -> None:
    """Write the model in fp16 with its config, tokenizer and calibration: what `open_clip`'s `local-dir:` and `ClipModel` load."""
    directory.mkdir(parents=True, exist_ok=True)
    save_file({key: _packed(value) for key, value in model.state_dict().items()}, directory / _WEIGHTS_FILE)
    (directory / _CONFIG_FILE).write_text(json.dumps(start.described, indent=2) + "\n", encoding="utf-8")
    if start.tokenizer is not None:
        save_tokenizer(start.tokenizer, directory)
    images, texts = embed(model, start, rows, [(picture, text) for picture in pictures for _, text in picture.texts])
    owner = np.repeat(np.arange(len(pictures)), [len(picture.texts) for picture in pictures])
    products = np.array([picture.product for picture in pictures])[owner]
    other = np.random.default_rng(0).permutation(len(owner))
    apart = products != products[other]  # a product's other views are no mismatch
    matching, mismatched = (images * texts).sum(1).double().numpy(), (images[other] * texts).sum(1).double().numpy()[apart]
    sharpness = float(min(cast(Tensor, model.logit_scale).exp().item(), _MAX_SCALE))
    write_calibration(calibrate(matching, mismatched, sharpness), directory)


def _packed(value: Tensor) -> Tensor:
    """Matrices in fp16; vectors and running statistics, which are few and reach further, as they are."""
    return (value.half() if value.ndim > 1 else value).cpu().contiguous()


def main() -> None:
    """The command line."""
    config, resume = read_command_line(ClipConfig, Path("train/configs/clip.yaml"))
    data = [config.data, *(path for path in (config.tokenizer, config.base) if path)]
    card = job.launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    job.run_command(main)
