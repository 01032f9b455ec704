"""Show which words made a classifier say what it says, in the terminal and as a page.

    python -m train.explain models/sentiment "很好用，就是有点贵" "lovely, but it broke" [--label negative] [--html shown.html]

How weights are found, and what they don't tell: `train/texts/attribution.py`.
"""

import argparse
from pathlib import Path

from rich.console import Console

from train.job import run_command
from train.reports.explanation import coloured, page
from train.run.settings import ConfigError
from train.texts.attribution import Explainer


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Show which words made a classifier say what it says")
    parser.add_argument("model", type=Path, help="directory of a trained classifier")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--label", help="explain this label (default: the likeliest)")
    parser.add_argument("--html", type=Path, help="also write this page")
    given = parser.parse_args()
    explainer, console = Explainer.read(given.model), Console()
    try:
        found = [explainer.explain(text, given.label) for text in given.texts]
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for one in found:
        console.print(coloured(one))
        console.print(f"[dim]log-odds {one.score:+.2f}, of no words {one.baseline:+.2f}, gap {one.gap:+.3f}[/dim]")
    if given.html:
        given.html.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
