"""Make the tables of figures from `benchmarks/results/*.json`, so that no figure is typed by hand: all of them in `benchmarks/FIGURES.md`,
the most telling ones in the READMEs.

python -m benchmarks.readme            # rewrite them
python -m benchmarks.readme --check    # exit 1 where they are out of date
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS
from serve.config import ROOT

READMES = (ROOT / "README.md", ROOT / "README.zh.md")
FIGURES = ROOT / "benchmarks" / "FIGURES.md"
_TITLE = """# Figures

Each table is what one command measured last; `python -m benchmarks.readme` makes this page from `benchmarks/results/`.

"""
HEADLINES: tuple[tuple[str, str, str, str], ...] = (
    ("claims", "mutated_escapes_repair", "false claims that pass the check, of 5,000 mutated pieces", "5,000 条改坏的文案里漏过核对的"),
    ("claims", "zh_first_p50_ms", "check and render one piece, p50, ms", "核对并填好一条文案，p50，毫秒"),
    ("catalogues_sample", "sample_first_by_the_model_percent", "answers whose first choice is the model's, %", "第一选择出自模型的回答，%"),
    (
        "choice",
        "response_over_scores",
        "clicks with the response model ÷ without, simulated shoppers",
        "用响应模型选文案的点击率 ÷ 不用，模拟顾客",
    ),
    ("decoding", "8_requests_grammar_ratio_to_free", "decoding under a grammar ÷ free, 8 requests", "带文法解码 ÷ 自由解码，8 个请求"),
    ("train_kills_generator", "generator_same_model", "the same model, bit by bit, after kills", "被反复杀掉之后逐位相同的模型"),
    (
        "train_clip",
        "clip_image_to_title_recall_10",
        "CLIP from scratch on 7,457 photos, image → title, recall@10",
        "CLIP 用 7,457 张照片从零训练，图→标题，recall@10",
    ),
    (
        "train_persuasion",
        "minilm_clear",
        "which of two headlines was clicked more, Upworthy, clear pairs",
        "两条标题哪条点击更多，Upworthy，差异明显的对",
    ),
    ("train_speed", "ray_by_plain", "tokens/s by Ray Train ÷ the same loop without Ray", "Ray Train 的词元/秒 ÷ 不用 Ray 的同一循环"),
    ("train_strategies", "random_model_macro_f1", "persuasion strategies of dialogues, macro F1", "对话里的说服策略，宏 F1"),
    ("train_sentiment_en", "minilm_accuracy", "sentiment, SST-2 dev, accuracy", "情感，SST-2 dev，准确率"),
    ("train_sentiment_zh", "textcnn_accuracy", "sentiment, online_shopping_10_cats, accuracy", "情感，online_shopping_10_cats，准确率"),
)
"""(result, figure, in English, in Chinese), in the order of the READMEs."""
_BEGIN, _END = "<!-- figures:begin -->", "<!-- figures:end -->"


def table(results: Path) -> str:
    """One table per benchmark, under the command, date and hardware that made it."""
    blocks = []
    for path in sorted(results.glob("*.json")):
        entry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        made = f"{entry['hardware']}, {entry['date']}, commit {entry['git_commit']}"
        rows = [f"| {_words(key)} | {_shown(value)} |" for key, value in entry["figures"].items() if _wanted(key)]
        blocks.append("\n".join([f"**`{entry['command']}`** ({made})", "", "| figure | value |", "|---|---|", *rows]))
    return "\n\n".join(blocks)


def _wanted(key: str) -> bool:
    if "_base_rate_" in key or "_kept_" in key:  # of the response models: what the others are compared with in their own rows
        return False
    return "_rss_" not in key or key.endswith("_rss_total_mib")


def _words(key: str) -> str:
    return key.replace("_", " ")


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def headlines(results: Path, column: int) -> str:
    """The most telling figures, those of HEADLINES that were measured, with the words of that column."""
    rows = ["| | |", "|---|---|"]
    for headline in HEADLINES:
        path = results / f"{headline[0]}.json"
        entry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"figures": {}}
        if headline[1] in entry["figures"]:
            rows.append(f"| {headline[column]} (`{entry['command']}`) | {_shown(entry['figures'][headline[1]])} |")
    return "\n".join(rows)


def renewed(text: str, figures: str) -> str:
    """The README with its table replaced. Raises ValueError where it has no place for one."""
    if _BEGIN not in text or _END not in text:
        raise ValueError(f"the README needs the lines {_BEGIN} and {_END} around its table of figures")
    return f"{text.split(_BEGIN)[0]}{_BEGIN}\n{figures}\n{_END}{text.split(_END)[1]}"


def pages(results: Path) -> dict[Path, str]:
    """Every page that holds figures, as it should read."""
    made = {path: renewed(path.read_text(encoding="utf-8"), headlines(results, column)) for column, path in enumerate(READMES, 2)}
    return made | {FIGURES: f"{_TITLE}{table(results)}\n"}


def main(write: Callable[[str], Any] = sys.stdout.write) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    made = pages(RESULTS)
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        write(f"{path.name} {'is out of date: run python -m benchmarks.readme' if options.check else 'renewed'}\n")
        if not options.check:
            path.write_text(made[path], encoding="utf-8")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
