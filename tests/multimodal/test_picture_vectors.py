"""A shop's pictures become a table of vectors with the CLIP that the project ships; what can't be read is named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from demo.pictures import COLOURS, render_product
from multimodal.clip import ClipModel
from multimodal.picture_vectors import MODEL, make
from retrieval import tables
from tests import commands
from tests.fakes import make_shop

PRODUCTS = ("longjing", "oolong")


@pytest.fixture()
def shop(tmp_path) -> Path:
    """Two products have pictures of their own, one names a file that is not there, the others have none."""
    shop = make_shop(tmp_path / "shop")
    colours = list(COLOURS)
    for number, name in enumerate(PRODUCTS):
        render_product("tea", colours[number], "plain", shop, name, seed=number)
    rows = tables.read(shop, "products")
    images = [
        [f"{name}-front.png"] if name in PRODUCTS else ["lost.png"] if name == "keyboard" else [] for name in rows["product_id"].to_pylist()
    ]
    place = rows.schema.get_field_index("images")
    tables.write(shop, "products", rows.set_column(place, "images", pa.array(images, pa.list_(pa.string()))))
    return shop


def test_every_product_with_a_readable_picture_has_a_vector(shop):
    model = ClipModel(MODEL)
    made, passed_over = make(shop, model, quiet=True)
    assert made["product_id"].to_pylist() == list(PRODUCTS), "a product in two languages has one vector"
    assert set(made["model"].to_pylist()) == {model.version}
    np.testing.assert_allclose(made["vector"][0].as_py(), model.encode_images([shop / "longjing-front.png"])[0], atol=1e-5)
    assert len(passed_over) == 1
    assert "keyboard" in passed_over[0]
    assert "lost.png" in passed_over[0]


def test_the_command_writes_the_table_and_refuses_a_model_that_is_none(shop):
    done = commands.run("multimodal.picture_vectors", shop)
    assert done.status == 0 and "2 products, 1 pictures passed over" in done.out
    assert "lost.png" in done.err
    assert tables.read(shop, "picture_vectors").num_rows == 2
    refused = commands.run("multimodal.picture_vectors", shop, "--model", shop)
    assert refused.status != 0
    assert "can't be loaded" in refused.err
