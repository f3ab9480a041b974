"""Every network takes views and gives one score; starting weights fit or are refused."""

import pickle
import zipfile

import keras
import numpy as np
import pytest

from fakesweep.errors import TrainingError
from training.fit import FitOptions, _compile
from training.networks import ARCHITECTURES
from training.torchfile import read_tensors
from training.weights import _fill_lite, find_weights, load_weights


@pytest.mark.parametrize("arch", ["cnn", "lite", "mobilenetv2"])
def test_a_network_gives_one_score_per_view(arch):
    network = ARCHITECTURES[arch](224)

    scores = network.predict_on_batch(np.zeros((2, 224, 224, 3), np.uint8))

    assert scores.shape == (2, 1)
    assert ((scores > 0) & (scores < 1)).all()


def test_lite_has_the_same_weights_for_every_side():
    small, large = ARCHITECTURES["lite"](96), ARCHITECTURES["lite"](224)

    large.set_weights(small.get_weights())

    assert large.count_params() < 2_000_000


def test_weights_of_the_same_network_are_taken_over_but_for_the_last_layer(tmp_path):
    before, after = ARCHITECTURES["lite"](96), ARCHITECTURES["lite"](96)
    before.save(tmp_path / "before.keras")

    said = load_weights(after, tmp_path / "before.keras")

    assert said.startswith("before.keras, SHA-256 ")
    for name in ("stem", "block5_depth", "head"):
        for one, other in zip(
            before.get_layer(name).get_weights(), after.get_layer(name).get_weights(), strict=True
        ):
            assert np.array_equal(one, other)


def test_weights_that_do_not_fit_are_one_clear_line(tmp_path):
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)]).save(tmp_path / "x.keras")
    (tmp_path / "x.pth").write_bytes(b"no weights")
    (tmp_path / "x.weights.h5").write_bytes(b"no weights")
    network = ARCHITECTURES["lite"](96)

    for name in ("x.keras", "x.pth", "x.weights.h5"):
        with pytest.raises(TrainingError, match=name) as caught:
            load_weights(network, tmp_path / name)
        assert "\n" not in str(caught.value)


def test_named_weights_that_are_not_there_are_one_clear_line(tmp_path):
    with pytest.raises(TrainingError, match="no such file: none"):
        find_weights("lite", "none.h5")
    with pytest.raises(TrainingError, match="there are none for cnn"):
        find_weights("cnn", "imagenet")


def test_a_torch_file_that_would_run_code_is_refused(tmp_path):
    class Runs:
        def __reduce__(self):
            return (print, ("run",))

    path = tmp_path / "evil.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps({"weight": Runs()}))

    with pytest.raises(TrainingError, match=r"builtins\.print"):
        read_tensors(path)


@pytest.mark.parametrize("name", ["mobilenetv2", "vgg16"])
def test_the_first_epochs_fit_the_last_layer_alone_and_norms_stay_as_they_are(name):
    network = ARCHITECTURES[name](96)
    options = FitOptions(freeze_norms=True)

    _compile(network, options, head_alone=True)
    head = len(network.trainable_variables)
    _compile(network, options, head_alone=False)
    fitted = {variable.path for variable in network.trainable_variables}

    assert head == 2
    assert len(fitted) > 25
    assert not any("normalise" in path or "gamma" in path for path in fitted)


def test_normalisation_is_folded_into_the_convolution_before_it(tmp_path):
    rng = np.random.default_rng(7)
    network = ARCHITECTURES["lite"](96)
    tensors = _lite_tensors(network, rng)

    _fill_lite(network, tensors)

    pixels = rng.uniform(-1, 1, (1, 9, 9, 3)).astype(np.float32)
    raw = keras.ops.conv(
        pixels, tensors["_conv_stem.weight"].transpose(2, 3, 1, 0), strides=2, padding="same"
    )
    scale, shift, mean, variance = (
        tensors[f"_bn0.{key}"] for key in ("weight", "bias", "running_mean", "running_var")
    )
    expected = (raw - mean) / np.sqrt(variance + 1e-3) * scale + shift
    assert np.allclose(network.get_layer("stem")(pixels), expected, atol=1e-4)


def _lite_tensors(network, rng):
    """Draw a state of the pretrained network in PyTorch's names and layout."""
    tensors = {}
    for layer in network.layers:
        if layer.name != "stem" and not layer.name.startswith("block"):
            continue
        if not layer.weights:
            continue
        kernel = layer.get_weights()[0]
        block, _, part = layer.name.partition("_")
        conv = {"": "_conv_stem", "depth": "_depthwise_conv"}.get(part, f"_{part}_conv")
        norm = {"": "_bn0", "expand": "_bn0", "depth": "_bn1", "project": "_bn2"}[part]
        its = f"_blocks.{block.removeprefix('block')}." if part else ""
        order = (2, 3, 0, 1) if part == "depth" else (3, 2, 0, 1)
        width = kernel.transpose(order).shape[0]
        tensors[f"{its}{conv}.weight"] = rng.normal(size=kernel.transpose(order).shape)
        for key in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{its}{norm}.{key}"] = rng.uniform(0.5, 2, width)
    return {name: value.astype(np.float32) for name, value in tensors.items()}
