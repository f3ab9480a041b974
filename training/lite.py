"""EfficientNet-Lite0, cut after its last stage at a sixteenth of the image's side, for views of any side.

Tan and Le, "EfficientNet" (ICML 2019), in the "lite" form of its authors: no squeeze-and-excitation,
ReLU6. The stages at 1/32 are left out: traces of making are small, and the stages cost two thirds
of the weights. The normalisation of the pretrained network is folded into its convolutions, which
doubles the speed of training and leaves no statistics to go stale. A small head on every position
comes before the mean over positions, so that the weights fit any side of the input.
"""

from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations

# (kernel, stride of the first block, expansion, width, blocks)
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
)
STEM_WIDTH = 32
HEAD_WIDTH = 192
DROPOUT = 0.2


def build_lite(side_px: int) -> Any:
    """Build the network: `(n, side_px, side_px, 3)` in [0, 255] to `(n, 1)` in [0, 1]."""
    layers = keras.layers
    image = layers.Input((side_px, side_px, 3), name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="normalise")(image)
    x = layers.Conv2D(STEM_WIDTH, 3, strides=2, padding="same", name="stem")(x)
    x = layers.ReLU(6, name="stem_relu")(x)
    number = 0
    for kernel, stride, expansion, width, blocks in STAGES:
        for block in range(blocks):
            x = _block(x, number, kernel, stride if block == 0 else 1, expansion, width)
            number += 1
    x = layers.LayerNormalization(name="head_norm")(x)
    x = layers.Conv2D(HEAD_WIDTH, 1, activation="relu", name="head")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    score = layers.Dense(1, activation="sigmoid", dtype="float32", name="score")(x)
    return keras.Model(image, score, name="lite")


def _block(x: Any, number: int, kernel: int, stride: int, expansion: int, width: int) -> Any:
    """Expand, filter each channel, project: an inverted residual (MobileNetV2, CVPR 2018)."""
    layers = keras.layers
    name, entry = f"block{number}", x
    if expansion != 1:
        x = layers.Conv2D(x.shape[-1] * expansion, 1, name=f"{name}_expand")(x)
        x = layers.ReLU(6, name=f"{name}_expand_relu")(x)
    x = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", name=f"{name}_depth")(x)
    x = layers.ReLU(6, name=f"{name}_depth_relu")(x)
    x = layers.Conv2D(width, 1, name=f"{name}_project")(x)
    if stride == 1 and entry.shape[-1] == width:
        x = layers.Add(name=f"{name}_add")([entry, x])
    return x
