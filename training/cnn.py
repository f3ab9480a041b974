"""Build the networks that can be trained, by name.

`cnn` is the plain one: 224x224 RGB in, five blocks of 3x3 convolution and 2x2 max pooling, flatten,
dense, dropout, one sigmoid. Batch normalisation stands after the pooling, where it costs a quarter
of what it costs before.
"""

from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations

WIDTHS = (16, 32, 64, 96, 128)
DENSE = 128
DROPOUT = 0.5


def build_cnn(side_px: int) -> Any:
    """Build the plain CNN: `(n, side_px, side_px, 3)` in [0, 255] to `(n, 1)` in [0, 1]."""
    layers = keras.layers
    image = layers.Input((side_px, side_px, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    for number, width in enumerate(WIDTHS, start=1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.BatchNormalization(momentum=0.98, name=f"norm{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(DENSE, activation="relu", name="dense")(x)
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    score = layers.Dense(1, activation="sigmoid", name="score")(x)
    return keras.Model(image, score, name="cnn")
