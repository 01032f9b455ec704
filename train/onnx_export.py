"""Add `model.onnx` to a scorer's model directory that has none: `python -m train.onnx_export models/sentiment`."""

import argparse
from pathlib import Path

from train.job import run_command
from train.texts.onnx_form import ONNX, add_onnx


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    directory = parser.parse_args().model
    card = add_onnx(directory)
    print(f"{directory / ONNX}: {(directory / ONNX).stat().st_size / 1e6:.1f} MB, version {card.version}")


if __name__ == "__main__":
    run_command(main)
