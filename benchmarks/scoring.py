"""Is a scorer faster in ONNX Runtime than in torch? Time to start, memory, and time for batches of the copybook's texts, one thread.

    python -m benchmarks.scoring

Each form is loaded by serve's own Classifier in a process of its own, as a replica has it. Ratios are ONNX Runtime ÷ torch. Beside them the
shipped response model, which scores impressions in the process that asks (NumPy): its batches, and their ratio to the sentiment scorer's by
ONNX Runtime.
"""

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from rich.progress import track

from artifacts.card import CARD
from artifacts.impression import COLUMNS
from benchmarks.record import Figures, record
from copywriting import copybook
from demo.training_data import simulate
from serve.config import ROOT
from serve.scorers.classifier import ONNX
from serve.scorers.response import ResponseScorer

MODELS = ("sentiment", "persuasion")
BATCHES = (1, 8, 32)
ROUNDS = 5
_CHILD = """
import json, resource, sys, time
began = time.perf_counter()
from serve.scorers.classifier import Classifier
model, kind, (sizes, texts) = sys.argv[1], sys.argv[2], json.loads(sys.stdin.read())
classifier = Classifier(model, kind)
classifier.logits(texts[:1])
figures = {"start_s": time.perf_counter() - began}
for size in sizes:
    times = []
    for at in range(0, 40 * size, size):
        batch = [texts[(at + number) % len(texts)] for number in range(size)]
        now = time.perf_counter()
        classifier.logits(batch)
        times.append(1000 * (time.perf_counter() - now))
    figures[f"batch_{size}_ms"] = sorted(times)[len(times) // 2]
figures["memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(figures))
"""


def measured(directory: Path, kind: str, texts: list[str]) -> dict[str, float]:
    """What one process needs for this directory."""
    command = [sys.executable, "-c", _CHILD, str(directory), kind]
    ended = subprocess.run(command, cwd=ROOT, input=json.dumps([BATCHES, texts]), capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


async def foretold() -> dict[str, float]:
    """Median milliseconds of the response model for each size of batch, by the call that the pipeline makes."""
    with tempfile.TemporaryDirectory() as directory:
        rows = pq.read_table(simulate(Path(directory), 0, 1000)).to_pylist()
    impressions = [dict.fromkeys(COLUMNS) | {name: row[name] for name in COLUMNS if name in row} for row in rows]
    scorer = ResponseScorer(str(ROOT / "models" / "response"))
    figures = {}
    for size in BATCHES:
        times = []
        for at in range(200):
            batch = [impressions[(at * size + number) % len(impressions)] for number in range(size)]
            began = time.perf_counter()
            await scorer.score(batch)
            times.append(1000 * (time.perf_counter() - began))
        figures[f"batch_{size}"] = statistics.median(times)
    return figures


def main() -> None:
    """Command line."""
    texts = [piece.template for piece in copybook.load(ROOT / "demo" / "copybook")][::7]
    figures = Figures(texts=len(texts))
    with tempfile.TemporaryDirectory() as temporary:
        for kind in MODELS:
            onnx = ROOT / "models" / kind
            torch = Path(temporary) / kind
            shutil.copytree(onnx, torch, ignore=shutil.ignore_patterns(ONNX, CARD))
            runs = [(measured(torch, kind, texts), measured(onnx, kind, texts)) for _ in track(range(ROUNDS), kind)]
            for name in runs[0][0]:
                ours, theirs = (statistics.median(each[place][name] for each in runs) for place in (1, 0))
                figures |= {f"{kind}_torch_{name}": round(theirs, 3), f"{kind}_onnx_{name}": round(ours, 3)}
                figures[f"{kind}_{name.rsplit('_', 1)[0]}_ratio"] = round(ours / theirs, 3)
    for name, milliseconds in asyncio.run(foretold()).items():
        figures[f"response_{name}_ms"] = round(milliseconds, 3)
        figures[f"response_{name}_ratio_to_sentiment"] = round(milliseconds / float(figures[f"sentiment_onnx_{name}_ms"]), 3)
    record("scoring", figures, 0, "python -m benchmarks.scoring")


if __name__ == "__main__":
    main()
