"""Write a network's serving file: the same network as `.tflite`, for engines other than TensorFlow."""

import logging
from hashlib import sha256
from pathlib import Path
from typing import Any

import tensorflow as tf

from detector.card import Serving
from fakesweep.errors import one_line
from fakesweep.notices import held_notices

log = logging.getLogger(__name__)

SERVING = "model.tflite"


def write_serving(network: Any, side_px: int, folder: Path) -> Serving | None:
    """Convert a Keras network and write it into a version's folder.

    Views of shape `(n, side_px, side_px, 3)`, dtype uint8, go in; `n` outputs of the sigmoid come out.

    Returns:
        The facts for the card; None where a layer cannot be converted: then TensorFlow serves.

    Raises:
        OSError: The file cannot be written.
    """

    @tf.function(  # type: ignore[untyped-decorator]  # of TensorFlow
        input_signature=[tf.TensorSpec((None, side_px, side_px, 3), tf.uint8)]
    )
    def score(views: Any) -> Any:
        return network(tf.cast(views, tf.float32), training=False)[:, 0]

    # Given the network itself to keep track of, the converter would write variables, not constants,
    # which no other engine reads; without it, absl warns.
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    try:
        with held_notices():
            function = score.get_concrete_function()
            content: bytes = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    except Exception as error:  # what converters raise is written down nowhere
        log.warning("no serving file, TensorFlow will serve: %s", one_line(error))
        return None
    finally:
        absl.setLevel(level)
    (folder / SERVING).write_bytes(content)
    return Serving(
        file=SERVING,
        sha256=sha256(content).hexdigest(),
        size_bytes=len(content),
        tensorflow_version=tf.__version__,
    )
