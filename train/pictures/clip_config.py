"""Settings of a run that trains a CLIP: `train/configs/clip.yaml` for a model from scratch on drawn pictures, `clip_products.yaml` for one
on photos of products. Knows neither Ray nor torch.
"""

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from train.pictures.captions import PictureColumns, Source
from train.run.settings import InputPath, ModelPath, TrainConfig

CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILE = "open_clip_model.safetensors"

LossName = Literal["clip", "siglip"]


class ClipConfig(TrainConfig):
    """What a CLIP needs besides the settings of every run. The sizes are for a model from scratch; a base has its own."""

    data: InputPath
    """Table of pictures and texts, or a directory that holds pictures.parquet."""
    images: InputPath | None = None
    """Directory or uncompressed .tar in which the pictures are; none means the table's directory."""
    image_ending: str = ""
    """What is added to the table's name of a picture to have the file's, such as `.jpg` where the table has ids."""
    columns: PictureColumns = PictureColumns()
    """Which columns of the table hold what."""
    base: ModelPath | None = None
    """Model directory to start from; none means from scratch."""
    tokenizer: InputPath | None = None
    """Tokenizer directory; needed from scratch, else the base's own."""
    loss: LossName = "clip"
    """`clip`: softmax over all pairs of all workers' batches. `siglip`: each pair by itself, with a learned temperature and bias."""
    held_out: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of products that the run is judged by and not trained on, where the table has no `split` column."""
    tested: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of products that the run doesn't see at all, for an examination afterwards."""
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

    @field_validator("base")
    @classmethod
    def _is_a_model(cls, base: Path | None) -> Path | None:
        return base and _checked(base)

    @model_validator(mode="after")
    def _has_a_start(self) -> Self:
        if self.base is None and self.tokenizer is None:
            raise ValueError("neither base nor tokenizer is given; name a tokenizer directory (python -m train.tokenizer) or a base")
        return self

    @model_validator(mode="after")
    def _has_equal_parts(self) -> Self:
        uneven = [count for count in range(self.fewest_workers, self.workers) if self.block % count]
        if uneven:
            raise ValueError(
                f"min_workers = {self.min_workers}: {uneven[0]} workers can't share an update of {self.block} pairs equally, which the "
                f"contrast over all of them needs; leave min_workers out, or choose a batch_size so that {uneven[0]} divides the update"
            )
        return self

    def source(self) -> Source:
        """Where the pictures and texts come from."""
        return Source(self.data, self.images, self.image_ending, self.columns, self.held_out, self.tested, self.seed)


def _checked(base: Path) -> Path:
    """Raises ValueError for what isn't a directory in open_clip's hub layout, or a model whose forward pass is no contrast."""
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (base / name).is_file():
            raise ValueError(f"holds no {name}; name an open_clip model directory, as train.clip or open_clip's push to a hub writes it")
    try:
        described = json.loads((base / CONFIG_FILE).read_text(encoding="utf-8"))
        parts = {*described["model_cfg"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its {CONFIG_FILE} can't be read ({error!r}); copy the model directory again") from error
    if missing := {"embed_dim", "vision_cfg", "text_cfg"} - parts:
        raise ValueError(f"its {CONFIG_FILE} lacks {sorted(missing)} in model_cfg; copy the model directory again")
    if "multimodal_cfg" in parts:
        raise ValueError("is a CoCa, which also writes captions; name a CLIP or SigLIP")
    return base
