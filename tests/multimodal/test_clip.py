"""Loading and using CLIP models: a tiny one made here, and the one that the project ships."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from artifacts.card import write_card
from demo.pictures import COLOURS, draw, render_product
from multimodal.clip import ClipModel, ClipModelError, write_calibration
from multimodal.fusion import Calibration, ImageMatcher
from multimodal.media import MediaError

_ROOT = Path(__file__).resolve().parents[2]
_SHIPPED = _ROOT / "models" / "clip"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """An untrained open_clip model directory with its own tokenizer, in a few kilobytes."""
    directory = tmp_path_factory.mktemp("models") / "clip"
    directory.mkdir()
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", "red", "dress", "coat"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>").save_pretrained(directory)
    described = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "head_width": 8},
        "text_cfg": {
            "context_length": 8, "vocab_size": 6, "width": 16, "heads": 2, "layers": 1,
            "pool_type": "eos", "eos_id": 1, "hf_tokenizer_name": "its own",
        },
    }  # fmt: skip
    torch.manual_seed(0)
    model = open_clip.model.CLIP(**described)
    save_file(dict(model.state_dict()), directory / "open_clip_model.safetensors")
    (directory / "open_clip_config.json").write_text(json.dumps({"model_cfg": described, "preprocess_cfg": {}}))
    write_calibration(Calibration(slope=7.0, midpoint=0.4, sharpness=14.0), directory)
    write_card(directory, kind="clip", name="tiny", command="pytest", seed=0)
    return directory


@pytest.fixture
def copied(tiny, tmp_path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "clip"))


def test_embeddings_have_length_one_and_the_models_dimensions(tiny):
    model = ClipModel(tiny)
    images = model.encode_images([Image.new("RGB", (40, 20), "red"), Image.new("RGB", (8, 8))])
    texts = model.encode_texts(["red dress", "coat", "red"])
    assert (images.shape, texts.shape, model.dimensions) == ((2, 16), (3, 16), 16)
    assert images.dtype == np.float32
    assert np.allclose(np.linalg.norm(np.vstack([images, texts]), axis=1), 1, atol=1e-5)


def test_no_input_gives_no_rows(tiny):
    model = ClipModel(tiny)
    assert model.encode_texts([]).shape == (0, 16)
    assert model.encode_images([]).shape == (0, 16)


def test_an_embedding_does_not_depend_on_its_batch(tiny):
    model = ClipModel(tiny)
    texts = [f"red dress {'coat ' * (i % 5)}" for i in range(150)]
    assert np.allclose(model.encode_texts(texts)[[3, 149]], model.encode_texts([texts[3], texts[149]]), atol=1e-5)


def test_version_and_calibration_come_from_the_directory(tiny):
    model = ClipModel(str(tiny))
    assert model.calibration == Calibration(slope=7.0, midpoint=0.4, sharpness=14.0)
    assert model.version == json.loads((tiny / "card.json").read_text())["version"]


def test_paths_are_opened_and_a_broken_one_is_named(tiny, tmp_path):
    good, broken = tmp_path / "good.png", tmp_path / "broken.png"
    Image.new("RGB", (8, 8), "blue").save(good)
    broken.write_bytes(b"no picture")
    model = ClipModel(tiny)
    assert np.allclose(model.encode_images([good]), model.encode_images([Image.new("RGB", (8, 8), "blue")]), atol=1e-6)
    with pytest.raises(MediaError, match=r"broken\.png"):
        model.encode_images([good, broken])


def test_changed_weights_are_refused(copied):
    weights = copied / "open_clip_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ClipModelError, match=r"clip model = .*open_clip_model\.safetensors.*SHA-256"):
        ClipModel(copied)


def test_a_directory_of_another_kind_is_refused(copied):
    write_card(copied, kind="generator", name="x", command="pytest", seed=0)
    with pytest.raises(ClipModelError, match="is a 'generator' directory, 'clip' was expected"):
        ClipModel(copied)


def test_a_directory_without_weights_is_refused_rather_than_random(copied):
    (copied / "open_clip_model.safetensors").unlink()
    write_card(copied, kind="clip", name="x", command="pytest", seed=0)
    with pytest.raises(ClipModelError, match="clip model = "):
        ClipModel(copied)


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ClipModelError, match=r"clip model = '.*nowhere': can't be loaded .*give a local directory"):
        ClipModel(tmp_path / "nowhere")


def test_a_hub_id_without_network_is_a_clear_error(tmp_path):
    sources = ["hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "ViT-B-32:laion2b_s34b_b79k", "ViT-B-32:no_such_tag"]
    code = (
        "import sys; from multimodal.clip import ClipModel, ClipModelError\n"
        "for source in sys.argv[1:]:\n  try: ClipModel(source)\n  except ClipModelError as error: print(repr(str(error)))"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *sources], cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=120)
    told = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    assert len(told) == len(sources), done.stderr
    for source, said in zip(sources, told, strict=True):
        assert said.startswith(f"clip model = {source!r}: can't be loaded (")
        assert "give a local directory" in said


@pytest.fixture(scope="module")
def shipped() -> ClipModel:
    return ClipModel(_SHIPPED)


@pytest.mark.parametrize(("right", "wrong"), [("a red striped dress", "a plain blue coat"), ("红色条纹连衣裙", "蓝色纯色外套")])
def test_the_shipped_model_prefers_the_caption_that_is_true(shipped, right, wrong):
    image = shipped.encode_images([draw("dresses", "red", "stripes", "front", 12345)])
    true, false = (shipped.encode_texts([right, wrong]) @ image.T)[:, 0]
    assert true > false + 0.1


def test_the_shipped_model_finds_the_colour_of_a_dress(shipped):
    pictures = shipped.encode_images([draw("dresses", colour, "plain", "front", 900 + i) for i, colour in enumerate(COLOURS)])
    found = (shipped.encode_texts([f"a {colour} dress" for colour in COLOURS]) @ pictures.T).argmax(axis=1)
    assert (found == np.arange(len(COLOURS))).mean() >= 0.7


def test_the_shipped_model_gives_fitting_copy_a_better_fit(shipped, tmp_path):
    pictures = render_product("plush", "brown", "dots", tmp_path, "bear", 77)
    texts = ["Meet the brown polka-dot teddy bear.", "遇见这只棕色波点玩具熊", "A navy suitcase for the weekend.", "藏青色行李箱，周末出发"]
    fusion = ImageMatcher(shipped.encode_images, shipped.calibration).match(shipped.encode_texts(texts), pictures)
    fits = [fit.fit for fit in fusion.fits]
    assert min(fits[:2]) > 0.7 and max(fits[2:]) < 0.3
    assert not fusion.unreadable


def test_no_shipped_file_is_4_megabytes_or_more():
    assert max(path.stat().st_size for path in _SHIPPED.iterdir()) < 4_000_000
