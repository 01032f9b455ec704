"""What a CLIP run starts from: new models and bases."""

import json
import shutil
from pathlib import Path

import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from artifacts.card import ArtifactError, write_card
from multimodal.clip import ClipModel
from train import clip
from train.pictures.captions import Picture
from train.pictures.clip_config import CONFIG_FILE, WEIGHTS_FILE, ClipConfig
from train.pictures.clip_loss import SIGLIP_BIAS, Contrast
from train.pictures.clip_start import Start, begin
from train.run.settings import ConfigError, load_config

_SIZES = {"image_size": 32, "embed_dim": 16, "vision_width": 2, "text_width": 16, "text_layers": 1, "head_width": 8, "context_length": 12}
_TEXTS = ("a red square", "a blue square")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Picture]:
    """A red and a blue square."""
    directory = tmp_path_factory.mktemp("squares")
    for colour in ("red", "blue"):
        Image.new("RGB", (40, 40), colour).save(directory / f"{colour}.png")
    return [Picture(directory / f"{text.split()[1]}.png", text, (("en", text),)) for text in _TEXTS]


@pytest.fixture
def scratch(tokenizer_directory, tmp_path) -> ClipConfig:
    return ClipConfig(name="tiny", out=tmp_path / "out", data=tmp_path, tokenizer=tokenizer_directory, **_SIZES)


def _exported(config: ClipConfig, pictures: list[Picture], directory: Path) -> tuple[Start, Path]:
    """A model as a run of this config would leave it, with its card."""
    torch.manual_seed(0)
    start = begin(config)
    rows = dict(zip(_TEXTS, start.tokens(_TEXTS), strict=True))
    clip.export(start.model.eval(), directory, start=start, rows=rows, pictures=pictures, contrast=Contrast(config.loss))
    write_card(directory, kind="clip", name="x", command="pytest", seed=0)
    return start, directory


def _based(config: ClipConfig, base: Path, **changed: str) -> ClipConfig:
    return ClipConfig.model_validate(config.model_dump(exclude={"tokenizer"}) | {"base": base} | changed)


def _weights(start: Start, without: tuple[str, ...] = ()) -> dict[str, torch.Tensor]:
    return {key: value for key, value in start.model.state_dict().items() if key not in without}


@pytest.mark.parametrize("loss", ["clip", "siglip"])
def test_a_base_gives_its_weights_and_its_tokens(scratch, pictures, tmp_path, loss):
    first, directory = _exported(scratch.model_copy(update={"loss": loss}), pictures, tmp_path / "base")
    again = begin(_based(scratch, directory, loss=loss))
    held = load_file(directory / WEIGHTS_FILE)
    assert held.keys() == _weights(again).keys()
    assert all(torch.equal(value, held[key].to(value.dtype)) for key, value in _weights(again).items())
    assert torch.equal(again.tokens(_TEXTS), first.tokens(_TEXTS))


def test_a_run_on_fewer_workers_is_refused_where_they_would_have_unequal_parts(scratch):
    settings = scratch.model_dump() | {"workers": 4, "batch_size": 64, "min_workers": 2}
    with pytest.raises(ValueError, match=r"min_workers = 2: 3 workers can't share an update of 256 pairs equally"):
        ClipConfig.model_validate(settings)
    assert ClipConfig.model_validate(settings | {"batch_size": 96}).min_workers == 2


def test_a_model_from_scratch_has_a_bias_for_the_sigmoid_only_and_serving_loads_it(scratch, pictures, tmp_path):
    assert "logit_bias" not in _weights(begin(scratch))
    start, directory = _exported(scratch.model_copy(update={"loss": "siglip"}), pictures, tmp_path / "model")
    assert _weights(start)["logit_bias"] == SIGLIP_BIAS and _weights(start)["logit_scale"].exp() == pytest.approx(10)
    served = ClipModel(directory)
    assert served.encode_texts(_TEXTS).shape == (2, 16) and served.calibration.sharpness == pytest.approx(10)


def test_a_base_of_a_softmax_goes_on_with_a_sigmoid_whose_temperature_starts_anew(scratch, pictures, tmp_path):
    first, directory = _exported(scratch, pictures, tmp_path / "base")
    again = begin(_based(scratch, directory, loss="siglip"))
    assert _weights(again)["logit_bias"] == SIGLIP_BIAS and _weights(again)["logit_scale"].exp() == pytest.approx(10)
    learned = ("logit_scale", "logit_bias")
    kept = _weights(first, learned)
    assert all(torch.allclose(value, kept[key], atol=1e-3) for key, value in _weights(again, learned).items())
    assert again.described["model_cfg"]["init_logit_bias"] == SIGLIP_BIAS


def test_a_base_of_a_sigmoid_goes_on_with_a_softmax_in_which_every_weight_has_a_gradient(scratch, pictures, tmp_path):
    _, directory = _exported(scratch.model_copy(update={"loss": "siglip"}), pictures, tmp_path / "base")
    start = begin(_based(scratch, directory))
    batch = {"image": torch.stack([start.preprocess(picture.open()) for picture in pictures]), "text": start.tokens(_TEXTS)}
    Contrast("clip").of_batch(start.model, batch).backward()
    assert not [name for name, each in start.model.named_parameters() if each.grad is None]  # DDP waits for every one


def test_a_directory_in_the_hubs_layout_without_card_or_tokenizer_is_a_base(scratch, tmp_path):
    vision = {"image_size": 32, "width": 8, "layers": 1, "patch_size": 16, "head_width": 8}
    described = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": {"context_length": 9, "width": 8, "heads": 1, "layers": 1}}
    (tmp_path / "hub").mkdir()
    model = open_clip.model.CLIP(**described)
    save_file(model.state_dict(), tmp_path / "hub" / WEIGHTS_FILE)
    settings = {"mean": [0.5] * 3, "std": [0.25] * 3}
    (tmp_path / "hub" / CONFIG_FILE).write_text(json.dumps({"model_cfg": described, "preprocess_cfg": settings}))
    start = begin(_based(scratch, tmp_path / "hub"))
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in _weights(start).items())
    assert start.tokens(_TEXTS).shape == (2, 9)
    white = start.preprocess(Image.new("RGB", (50, 40), "white"))
    assert white.shape == (3, 32, 32) and white.max() == pytest.approx((1 - 0.5) / 0.25)


def test_a_damaged_base_is_refused(scratch, pictures, tmp_path):
    _, directory = _exported(scratch, pictures, tmp_path / "base")
    (directory / WEIGHTS_FILE).write_bytes((directory / WEIGHTS_FILE).read_bytes()[:-8])
    with pytest.raises(ArtifactError, match=WEIGHTS_FILE):
        begin(_based(scratch, directory))
    (directory / "card.json").unlink()
    with pytest.raises(ConfigError, match=r"base = '.*base': can't be loaded .*copy the model directory again"):
        begin(_based(scratch, directory))


@pytest.mark.parametrize(
    ("file", "written", "fault"),
    [
        (WEIGHTS_FILE, None, r"holds no open_clip_model\.safetensors; name an open_clip model directory"),
        (CONFIG_FILE, None, r"holds no open_clip_config\.json"),
        (CONFIG_FILE, "{", "can't be read .*copy the model directory again"),
        (CONFIG_FILE, "[]", "can't be read"),
        (CONFIG_FILE, '{"model_cfg": {"embed_dim": 8}}', r"lacks \['text_cfg', 'vision_cfg'\]"),
        (CONFIG_FILE, '{"model_cfg": {"embed_dim": 8, "text_cfg": {}, "vision_cfg": {}, "multimodal_cfg": {}}}', "name a CLIP or SigLIP"),
    ],
)
def test_what_is_no_base_is_refused_before_anything_starts(tmp_path, file, written, fault):
    base = tmp_path / "base"
    shutil.copytree(Path("models/clip"), base)
    (base / file).unlink()
    if written is not None:
        (base / file).write_text(written)
    path = tmp_path / "clip.yaml"
    path.write_text(f"name: clip\nout: {tmp_path / 'x'}\ndata: {tmp_path}\nbase: {base}\n")
    with pytest.raises(ConfigError, match=f"base = '.*': (its |is )?.*{fault}"):
        load_config(ClipConfig, path)


def test_no_start_and_an_unknown_loss_are_refused(tmp_path):
    path = tmp_path / "clip.yaml"
    path.write_text(f"name: clip\nout: {tmp_path / 'x'}\ndata: {tmp_path}\n")
    with pytest.raises(ConfigError, match="neither base nor tokenizer"):
        load_config(ClipConfig, path)
    with pytest.raises(ConfigError, match=r"loss = 'triplet': .*'clip' or 'siglip'"):
        load_config(ClipConfig, path, {"loss": "triplet"})
