"""Networks of keras.applications with a new last layer, for transfer learning.

The normalisation that each one's weights were fitted with is part of the network, as a 1x1
convolution that stays as it is.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np

DROPOUT = 0.3
SCALING = "normalise"
"""Name of the layer that brings pixels to the scale of the starting weights; it is never fitted."""

CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Means of blue, green and red that VGG16 and ResNet50 subtract (keras.applications, "caffe")."""

Applications = dict[str, tuple[Callable[..., Any], str]]

APPLICATIONS: Applications = {
    "vgg16": (keras.applications.VGG16, "caffe"),
    "resnet50": (keras.applications.ResNet50, "caffe"),
    "mobilenetv2": (keras.applications.MobileNetV2, "unit"),
    "efficientnetv2b0": (keras.applications.EfficientNetV2B0, "inside"),
}


def build_transfer(name: str, side_px: int) -> Any:
    """Build a network without weights: `(n, side_px, side_px, 3)` in [0, 255] to `(n, 1)`."""
    layers = keras.layers
    application, scaling = APPLICATIONS[name]
    image = layers.Input((side_px, side_px, 3), name="image")
    x = _normalise(image, scaling)
    body = application(include_top=False, weights=None, input_shape=(side_px, side_px, 3))
    x = layers.GlobalAveragePooling2D(name="pool")(body(x))
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    score = layers.Dense(1, activation="sigmoid", dtype="float32", name="score")(x)
    return keras.Model(image, score, name=name)


def load_imagenet(network: Any) -> str:
    """Fill the body with the ImageNet weights that Keras downloads; say what was filled."""
    application, _ = APPLICATIONS[network.name]
    body = network.layers[-4]
    side_px = network.input_shape[1]
    pretrained = application(
        include_top=False, weights="imagenet", input_shape=(side_px, side_px, 3)
    )
    body.set_weights(pretrained.get_weights())
    return "ImageNet weights of keras.applications"


def _normalise(image: Any, scaling: str) -> Any:
    if scaling == "inside":
        return image
    if scaling == "unit":
        return keras.layers.Rescaling(1 / 127.5, offset=-1, name=SCALING)(image)
    layer = keras.layers.Conv2D(3, 1, name=SCALING, trainable=False)
    x = layer(image)
    to_bgr = np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3)
    layer.set_weights([to_bgr, -np.array(CAFFE_MEAN, dtype=np.float32)])
    return x


TRANSFER: dict[str, Callable[[int], Any]] = {
    name: partial(build_transfer, name) for name in APPLICATIONS
}
