"""10,000 answers of the real graph over the sample shop and three real catalogues, in both languages: is any of them at fault?

    python -m benchmarks.catalogues [--answers 10000] [--only SHOP]

The catalogues are ingested from the folder that SUASION_DATA names (examples/mappings), their indexes built here. Requests go in batches
over HTTP; products are named or searched for, over every channel and tone, n = 1. Every choice is judged from outside, as in `answers.py`.
"""

import argparse
import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml
from rich.console import Console
from rich.progress import Progress

from benchmarks.answers import TONES, faults_of
from benchmarks.record import Figures, record
from benchmarks.shop import prepared_shop
from copywriting.channels import CHANNELS
from demo.stage import VAR, run
from feedback.database import Database
from retrieval.build import build_index
from retrieval.catalogue import Catalogue
from serve.config import ROOT
from serve.launch import running

SEED = 31
ANSWERS = 10_000
N = 1
SHOPS = ("sample", "online_retail", "flipkart_catalogue", "fashion_products")
LOCALES = ("zh-CN", "en-GB", "zh-CN", "en-US")
BATCH = 100
FAULTS = ("ungrounded_number", "unfilled_slot", "wrong_language", "over_limit", "product_not_named")
CONFIG = ROOT / "serve" / "config" / "laptop.yaml"


def prepared(console: Console, name: str) -> tuple[Path, Path]:
    """(shop, index), made where they are missing."""
    if name == "sample":
        return prepared_shop(), VAR / "index"
    shop, index = VAR / "shops" / name, VAR / "shops" / f"{name}-index"
    if not (shop / "products.parquet").is_file():
        run(console, "retrieval.ingest", f"examples/mappings/{name}.yaml")
    if not (index / "card.json").is_file():
        build_index(shop, index, quiet=True)
    return shop, index


def config_for(name: str, shop: Path, index: Path) -> Path:
    """The laptop's config for this shop, with the shipped models and a state of its own."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    args = config["applications"][0]["args"]
    state = VAR / "shops" / f"{name}-state.db"
    state.parent.mkdir(parents=True, exist_ok=True)
    for path in state.parent.glob(f"{state.name}*"):
        path.unlink()
    Database(f"sqlite:///{state}").close()
    args |= {"shop": str(shop), "index": str(index), "state": f"sqlite:///{state}"}
    args["generator"]["model"], args["sentiment"]["model"] = "models/generator", "models/sentiment"
    path = state.with_name(f"{name}.yaml")
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


def lines(catalogue: Catalogue, count: int) -> list[bytes]:
    """Requests as lines of a batch: two of three name a product, the third searches for the title of one."""
    chance = random.Random(SEED)
    bodies = []
    for number in range(count):
        locale, product_id = LOCALES[number % len(LOCALES)], chance.choice(catalogue.product_ids)
        named = {"product_id": product_id} if number % 3 else {"query": catalogue.product(product_id, locale).title[:400]}
        channel = list(CHANNELS)[number // len(LOCALES) % len(CHANNELS)]
        bodies.append(
            {
                **named,
                "channel": channel,
                "locale": locale,
                "tone": TONES[number % len(TONES)],
                "n": N,
                "seed": number,
                "deadline_ms": 60_000,
            }
        )
    return [json.dumps({"custom_id": str(number), "body": body}).encode() for number, body in enumerate(bodies)]


def replies(url: str, asked: Sequence[bytes], progress: Progress, label: str) -> Iterator[dict[str, Any]]:
    """The reply to each line."""
    bar = progress.add_task(label, total=len(asked))
    for at in range(0, len(asked), BATCH):
        response = httpx.post(f"{url}/v1/copy/batch", content=b"\n".join(asked[at : at + BATCH]), timeout=600)
        response.raise_for_status()
        for line in response.text.splitlines():
            yield json.loads(line)
            progress.advance(bar)


def figures_of(found: Sequence[dict[str, Any]], catalogue: Catalogue) -> Figures:
    """How many answers came, with what faults, how they came about, and why the others did not."""
    answers = [reply["body"] for reply in found if reply["status"] == 200]
    choices = [(answer, choice) for answer in answers for choice in answer["choices"]]
    faults = Counter(fault for answer, choice in choices for fault in faults_of(answer, choice, catalogue))
    drafts, refused = (sum(answer["usage"][key] for answer in answers) for key in ("drafts", "refused"))
    figures: Figures = {"requests": len(found), "answers": len(answers), "choices": len(choices)}
    figures |= {f"{fault}_choices": faults[fault] for fault in FAULTS}
    figures["repaired_choices_percent"] = _percent(sum(_is_repaired(choice) for _, choice in choices), len(choices))
    figures["dropped_drafts_percent"] = _percent(refused, drafts)
    figures["first_by_the_model_percent"] = _percent(sum(a["choices"][0]["origin"] == "model" for a in answers), len(answers))
    figures["degraded_answers"] = sum(bool(answer["degraded"]) for answer in answers)
    figures["name_can_not_stand_in_copy"] = sum(_detail(reply).startswith("its name can't") for reply in found)
    figures["otherwise_unanswered"] = len(found) - len(answers) - int(figures["name_can_not_stand_in_copy"])
    return figures


def _is_repaired(choice: dict[str, Any]) -> bool:
    return any(reason.startswith(("cut ", "replaced ", "added ", "left out ", "shortened ")) for reason in choice["reasons"])


def _detail(reply: dict[str, Any]) -> str:
    return "" if reply["status"] == 200 else " ".join(error["detail"] for error in reply["body"]["errors"])


def _percent(part: float, whole: float) -> float:
    return round(100 * part / max(whole, 1), 2)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=ANSWERS)
    parser.add_argument("--only", choices=SHOPS, help="one shop; its figures alone are recorded anew")
    given = parser.parse_args()
    console, figures = Console(), Figures()
    os.environ["SUASION_DATA"] = str(
        (ROOT / os.environ.get("SUASION_DATA", "../shared/data")).resolve()
    )  # the mappings' own folder is another
    shops = (given.only,) if given.only else SHOPS
    made = {name: prepared(console, name) for name in shops}
    for name, (shop, index) in made.items():
        catalogue = Catalogue.read(shop)
        asked = lines(catalogue, given.answers // len(SHOPS))
        log = VAR / "logs" / f"catalogues-{name}.log"
        with running(config_for(name, shop, index), log=log) as server, Progress(console=console) as progress:
            found = list(replies(server.url, asked, progress, name))
        (VAR / "shops" / f"{name}-answers.jsonl").write_text("\n".join(map(json.dumps, found)), encoding="utf-8")
        figures |= {f"{name}_{key}": value for key, value in figures_of(found, catalogue).items()}
        console.print({key: value for key, value in figures.items() if key.startswith(name)})
    only, fewer = f" --only {given.only}" if given.only else "", f" --answers {given.answers}" if given.answers != ANSWERS else ""
    name = f"catalogues_{given.only}" if given.only else "catalogues"
    record(name, figures, SEED, f"python -m benchmarks.catalogues{only}{fewer}")


if __name__ == "__main__":
    main()
