"""The example mappings make whole shops of made-up files of the same shape, and of the head of the real ones where those are present."""

import gzip
import io
import itertools
import os
import tarfile
from decimal import Decimal
from pathlib import Path

import pytest

from retrieval import schemas, tables
from retrieval.ingest import Ingestion
from tests.retrieval.shopkit import refused, told

PROJECT = Path(__file__).resolve().parents[2]
MAPPINGS = PROJECT / "examples" / "mappings"
DATA = Path(os.environ.get("SUASION_DATA") or PROJECT.parent / "shared" / "data")

RETAIL = (
    "InvoiceNo\tStockCode\tDescription\tQuantity\tInvoiceDate\tUnitPrice\tCustomerID\tCountry\n"
    "536365\t85123a\tWHITE HANGING HEART T-LIGHT HOLDER\t6\t2010-12-01 08:26:00\t2.55\t17850\tUnited Kingdom\n"
    "536366\t85123A\tWHITE HANGING HEART T-LIGHT HOLDER\t1\t2010-12-02 08:26:00\t2.55\t\tUnited Kingdom\n"
    "536367\tPOST\tPOSTAGE\t1\t2010-12-02 08:26:00\t18.0\t12583\tFrance\n"
    "536368\tgift_0001_20\tDotcomgiftshop Gift Voucher £20.00\t1\t2010-12-02 08:26:00\t16.67\t\tUnited Kingdom\n"
    "536369\t22139\tdamaged\t-4\t2010-12-02 09:00:00\t0.0\t\tUnited Kingdom\n"
    "536370\t20712\tJUMBO BAG WOODLAND ANIMALS\t10\t2010-12-02 10:00:00\t1.95\t17850\tUnited Kingdom\n"
    "C536371\t85123A\tWHITE HANGING HEART T-LIGHT HOLDER\t-2\t2010-12-03 10:00:00\t2.55\t17850\tUnited Kingdom\n"
)
FLIPKART = (
    "uniq_id\tproduct_name\tproduct_category_tree\tpid\tretail_price\tdiscounted_price\timage\tis_FK_Advantage_product\tdescription\t"
    "product_rating\toverall_rating\tbrand\tproduct_specifications\n"
    "u1\tAlisha Solid Women's Cycling Shorts\t"
    '"[""Clothing >> Women\'s Clothing >> Shorts >> Alisha Solid Women\'s Cycling Shorts""]"\t'
    "P1\t999.0\t379.0\t[]\tFalse\tSoft shorts Price: Rs. 379\tNo rating available\tNo rating available\tAlisha\t"
    '"{""product_specification""=>[{""key""=>""Fabric"", ""value""=>""Cotton Lycra""}, {""key""=>""Color"", ""value""=>""Navy""}, '
    '{""value""=>""3 shorts""}]}"\n'
    'u2\tGlacier Running Shoes\t"[""Glacier Running Shoes""]"\tP2\t\t\t[]\tFalse\tShoes\t4\t4\t\t\n'
)
FASHION = (
    "id\tgender\tmasterCategory\tsubCategory\tarticleType\tbaseColour\tseason\tusage\tproductDisplayName\tcolorgroup\n"
    "10003\tWomen\tApparel\tTopwear\tTshirts\tWhite\tFall\tSports\tNike Women As Nike Eleme White T-Shirt\tWhite\n"
    "10004\tMen\tAccessories\tBags\tBackpacks\tBlack\tFall\tCasual\tPuma Men Deck Black Backpack\tBlack\n"
)


def merchant_data(folder: Path) -> Path:
    """Small files of the shape of the three real data sets, made up."""
    for name, text in (
        ("online_retail/online_retail", RETAIL),
        ("flipkart_catalogue/flipkart_sample", FLIPKART),
        ("fashion_products/products", FASHION),
    ):
        path = folder / f"{name}.tsv.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(text.encode()))
    with tarfile.open(folder / "fashion_products" / "images_224px.tar", "w") as tar:
        for name in ("10003.jpg", "../10004.jpg"):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"jpeg"))
    return folder


def run(name: str, data: Path, out: Path, monkeypatch) -> tuple[Ingestion, dict[str, list[dict]]]:
    """An example mapping on the data in `data`."""
    monkeypatch.setenv("SUASION_DATA", str(data))
    ingestion = Ingestion(MAPPINGS / f"{name}.yaml", out)
    ingestion.run()
    return ingestion, {table: tables.read(out, table).to_pylist() for table in schemas.SCHEMAS}


def test_invoice_lines_become_a_shop(tmp_path, monkeypatch):
    ingestion, made = run("online_retail", merchant_data(tmp_path / "data"), tmp_path / "shop", monkeypatch)
    assert [(p["product_id"], p["title"], p["vertical"], p["kind"], p["price"]) for p in made["products"]] == [
        ("85123A", "White Hanging Heart T-Light Holder", "home", "lighting", Decimal("2.55")),
        ("20712", "Jumbo Bag Woodland Animals", "fashion", "bags", Decimal("1.95")),
    ]
    assert refused(ingestion.report) == {"non_product": 1, "gift_voucher": 1, "not_positive": 1, "no_shopper": 1}
    assert [(e["event_id"], e["kind"], e["quantity"], e["value"]) for e in made["events"]] == [
        ("536365-1", "purchase", 6, 15.3),
        ("536370-6", "purchase", 10, 19.5),
        ("C536371-7", "cancellation", 2, 5.1),
    ]
    assert [(s["shopper_id"], s["consent"], s["attributes"]) for s in made["shoppers"]] == [
        ("17850", True, [("country", "United Kingdom")])
    ]
    assert len(made["price_history"]) == 2


def test_a_marketplace_catalogue_becomes_a_shop(tmp_path, monkeypatch):
    ingestion, made = run("flipkart_catalogue", merchant_data(tmp_path / "data"), tmp_path / "shop", monkeypatch)
    shorts, shoes = made["products"]
    assert (shorts["price"], shorts["list_price"], shorts["currency"], shorts["rating"]) == (
        Decimal("379.00"),
        Decimal("999.00"),
        "INR",
        None,
    )
    assert dict(shorts["attributes"]) == {"detail": "3 shorts", "material": "Cotton Lycra", "color": "Navy"}
    assert shorts["category"] == ["Clothing", "Women's Clothing", "Shorts"]
    assert shorts["description"] == "Soft shorts"
    assert (shoes["vertical"], shoes["kind"], shoes["price"], shoes["rating"]) == ("fashion", "shoes", None, 4.0)
    assert ("products", "kept", "no_price", 2, None, None) in told(ingestion.report)


def test_products_with_photos_and_no_prices_become_a_shop(tmp_path, monkeypatch):
    ingestion, made = run("fashion_products", merchant_data(tmp_path / "data"), tmp_path / "shop", monkeypatch)
    shirt, backpack = made["products"]
    assert (shirt["brand"], shirt["price"], shirt["currency"], shirt["images"]) == ("Nike", None, None, ["media/10003.jpg"])
    assert dict(shirt["attributes"]) == {
        "color": "White",
        "gender": "Women",
        "season": "Fall",
        "usage": "Sports",
        "article_type": "Tshirts",
    }
    assert (backpack["kind"], backpack["images"]) == ("bags", [])
    assert [entry[2:5] for entry in told(ingestion.report) if entry[2] == "no_photo"] == [("no_photo", 2, "10004.jpg")]
    assert sorted(path.name for path in tmp_path.rglob("*.jpg")) == ["10003.jpg"]  # nothing escapes the archive's directory


@pytest.mark.parametrize("name", ["online_retail", "flipkart_catalogue", "fashion_products"])
def test_the_example_mappings_fit_the_head_of_the_real_data(tmp_path, monkeypatch, name):
    real = sorted((DATA / name).glob("[fop]*.tsv.gz"))
    if not real:
        pytest.skip(f"{DATA / name} is missing; set SUASION_DATA to run the real data")
    (tmp_path / name).mkdir()
    for path in real:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as whole:
            (tmp_path / name / path.name).write_bytes(gzip.compress("".join(itertools.islice(whole, 1500)).encode()))
    if name == "fashion_products":
        with tarfile.open(tmp_path / name / "images_224px.tar", "w"):
            pass
    ingestion, made = run(name, tmp_path, tmp_path / "shop", monkeypatch)
    assert len(made["products"]) > 300
    assert all(0 < len(product["name"]) <= 40 for product in made["products"])
    assert ingestion.report.stages["products"].written == len(made["products"])
