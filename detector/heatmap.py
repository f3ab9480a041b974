"""Heat maps: which parts of a view speak for fake.

Grad-CAM of the logit of fake (Selvaraju et al., ICCV 2017), or the model's own map where it has a
layer named `patch_map`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from detector.calibration import sigmoid
from detector.heat import GRAD_CAM, PATCH_MAP, Heat
from fakesweep.errors import ModelError

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)


@dataclass
class _Answer:
    layer: Any
    output: Any


def make_heat(network: Any, view: NDArray[np.uint8]) -> Heat:
    """Ask a network what in a view speaks for fake.

    Works on any Keras model, of whatever models it is nested: the layers are watched while they run.
    One at a time: the network must not be used by another thread meanwhile.

    Args:
        network: Takes `(n, side, side, 3)` float32 in [0, 255], answers `(n, 1)`.
        view: RGB, shape `(side, side, 3)`, dtype uint8.

    Raises:
        ModelError: The network has no convolution.
    """
    views = tf.constant(view[np.newaxis], tf.float32)
    answers = _watch(network, views)
    maps = [answer for answer in answers if answer.layer.name == PATCH_MAP]
    if maps and tuple(maps[-1].output.shape[::3]) == (1, 1):
        values = np.asarray(maps[-1].output, dtype=np.float64)[0, :, :, 0]
        return Heat(PATCH_MAP, sigmoid(values))
    return Heat(GRAD_CAM, _weigh_features(network, views, answers))


def _weigh_features(network: Any, views: Any, answers: list[_Answer]) -> NDArray[np.float64]:
    """Weigh the last feature maps by the mean gradient of the logit: equations 1 and 2 of the paper."""
    number = _find_features(answers)
    if number is None:
        raise ModelError(f"the model {network.name!r} has no convolution to explain itself by")
    last = answers[-1].layer
    with tf.GradientTape() as tape, _without_sigmoid(last) as removed:
        seen = _watch(network, views, lambda answer, at: at == number and tape.watch(answer))
        logit = seen[-1].output if removed else _invert_sigmoid(seen[-1].output)
    features = seen[number].output
    gradient = tape.gradient(logit, features)
    if gradient is None:
        raise ModelError(f"the model {network.name!r} gives no gradient to explain itself by")
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    values = np.asarray(tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)), dtype=np.float64)[0]
    highest = values.max(initial=0.0)
    return np.asarray(values / highest if highest > 0 else values)


def _find_features(answers: list[_Answer]) -> int | None:
    """Find the last feature map: that of the last convolution, after what acts on it in place."""
    convolutions = [
        number for number, answer in enumerate(answers) if isinstance(answer.layer, CONVOLUTIONS)
    ]
    if not convolutions:
        return None
    shape = answers[convolutions[-1]].output.shape
    after = range(convolutions[-1], len(answers))
    return max(number for number in after if answers[number].output.shape == shape)


def _invert_sigmoid(output: Any) -> Any:
    inside = tf.clip_by_value(output, 1e-6, 1 - 1e-6)
    return tf.math.log(inside) - tf.math.log1p(-inside)


def _watch(
    network: Any, views: Any, observe: Callable[[Any, int], Any] | None = None
) -> list[_Answer]:
    """Run a network once and give what each of its innermost layers answered, in order.

    The last one is the network's own answer, whatever made it.

    Args:
        network: As for `make_heat`.
        views: Shape `(1, side, side, 3)`.
        observe: Told of each answer and its number while the network runs.
    """
    answers: list[_Answer] = []

    def record(layer: Any, output: Any) -> None:
        if tf.is_tensor(output):
            if observe is not None:
                observe(output, len(answers))
            answers.append(_Answer(layer, output))

    with ExitStack() as stack:
        for layer in _innermost(network):
            stack.enter_context(_recorded(layer, record))
        output = network(views, training=False)
    if not answers or answers[-1].output is not output:
        answers.append(_Answer(network, output))
    return answers


def _innermost(network: Any) -> Iterator[Any]:
    """Go through the layers of a network and of the networks in it."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _innermost(layer)
        else:
            yield layer


@contextmanager
def _recorded(layer: Any, record: Callable[[Any, Any], None]) -> Iterator[None]:
    """Record what a layer answers, by a `call` of the instance that hides the one of its class."""
    call = layer.call

    def call_and_record(*arguments: Any, **named: Any) -> Any:
        output = call(*arguments, **named)
        record(layer, output)
        return output

    object.__setattr__(layer, "call", call_and_record)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


@contextmanager
def _without_sigmoid(layer: Any) -> Iterator[bool]:
    """Run a layer without its sigmoid, whose gradient vanishes where it is sure; False if it has none."""
    if getattr(layer, "activation", None) is not keras.activations.sigmoid:
        yield False
        return
    layer.activation = keras.activations.linear
    try:
        yield True
    finally:
        layer.activation = keras.activations.sigmoid
