"""The model that a CLIP run starts from: a new small one, or the weights and the tokenizer of a base.

start = begin(config)
start.model, start.preprocess, start.tokens(["a red coat"])
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from safetensors import SafetensorError
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from artifacts.card import CARD, verify
from multimodal.clip import KIND
from train.pictures.clip_config import CONFIG_FILE, ClipConfig
from train.pictures.clip_loss import SIGLIP_BIAS, SIGLIP_SCALE
from train.run.settings import ConfigError

_LOAD_ERRORS = (RuntimeError, OSError, ValueError, KeyError, TypeError, AssertionError, SafetensorError)  # what open_clip lets through


@dataclass(frozen=True)
class Start:
    """A model to train with what belongs to it: `described` is its open_clip_config.json."""

    model: nn.Module
    described: Mapping[str, Any]
    tokenizer: PreTrainedTokenizerFast | None
    """None where the model reads with open_clip's own, which no directory holds."""
    reader: Any = None
    """The base's tokenizer as open_clip calls it."""

    @cached_property
    def preprocess(self) -> Any:
        """Picture → (3, size, size), as serving does it."""
        settings = PreprocessCfg(**{"size": self.described["model_cfg"]["vision_cfg"]["image_size"], **self.described["preprocess_cfg"]})
        return image_transform_v2(settings, is_train=False)

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """(n, context length), as open_clip's tokenizer makes them in serving: the end token is kept when a text is cut."""
        if self.reader is not None:
            return cast(Tensor, self.reader(list(texts)))
        assert self.tokenizer is not None
        length = self.described["model_cfg"]["text_cfg"]["context_length"]
        tidy = [" ".join(text.split()) for text in texts]
        return cast(Tensor, self.tokenizer(tidy, return_tensors="pt", max_length=length, padding="max_length", truncation=True).input_ids)


def begin(config: ClipConfig) -> Start:
    """The model to start from. Raises ConfigError or ArtifactError for a base that is damaged."""
    return _from_base(config.base, config) if config.base else _from_scratch(config)


def _from_base(base: Path, config: ClipConfig) -> Start:
    if (base / CARD).is_file():
        verify(base, KIND)
    described = {"preprocess_cfg": {}, **json.loads((base / CONFIG_FILE).read_text(encoding="utf-8"))}
    needs_bias = config.loss == "siglip" and described["model_cfg"].get("init_logit_bias") is None
    extra = {"init_logit_bias": SIGLIP_BIAS} if needs_bias else {}
    try:
        model = open_clip.create_model(f"local-dir:{base}", require_pretrained=True, **extra)
        reader = open_clip.get_tokenizer(f"local-dir:{base}")
    except _LOAD_ERRORS as error:
        raise ConfigError(f"base = {str(base)!r}: can't be loaded ({error}); copy the model directory again, or name another") from error
    if needs_bias:
        _start_sigmoid(model)
        described = described | {"model_cfg": described["model_cfg"] | extra}
    return Start(model, described, getattr(reader, "tokenizer", None), reader)


@torch.no_grad()
def _start_sigmoid(model: nn.Module) -> None:
    """A temperature that was learned for a softmax says nothing to a sigmoid: it and the bias start anew, the towers go on."""
    cast(Tensor, model.logit_scale).fill_(SIGLIP_SCALE)
    cast(Tensor, model.logit_bias).fill_(SIGLIP_BIAS)


def _from_scratch(config: ClipConfig) -> Start:
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
    sigmoid = {"init_logit_scale": SIGLIP_SCALE, "init_logit_bias": SIGLIP_BIAS} if config.loss == "siglip" else {}
    return sigmoid | {
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
