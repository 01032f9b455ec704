"""Make the README's table of figures from `benchmarks/results/*.json`, so that no figure is typed by hand.

python -m benchmarks.readme            # rewrite README.md and README.zh.md
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


def renewed(text: str, figures: str) -> str:
    """The README with its table replaced. Raises ValueError where it has no place for one."""
    if _BEGIN not in text or _END not in text:
        raise ValueError(f"the README needs the lines {_BEGIN} and {_END} around its table of figures")
    return f"{text.split(_BEGIN)[0]}{_BEGIN}\n{figures}\n{_END}{text.split(_END)[1]}"


def main(write: Callable[[str], Any] = sys.stdout.write) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    stale = [path for path in READMES if renewed(path.read_text(encoding="utf-8"), table(RESULTS)) != path.read_text(encoding="utf-8")]
    for path in stale:
        write(f"{path.name} {'is out of date: run python -m benchmarks.readme' if options.check else 'renewed'}\n")
        if not options.check:
            path.write_text(renewed(path.read_text(encoding="utf-8"), table(RESULTS)), encoding="utf-8")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
