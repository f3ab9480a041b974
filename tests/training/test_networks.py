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
from training.weights import find_weights, load_weights


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


def test_the_first_epochs_fit_the_last_layer_alone_and_norms_stay_as_they_are():
    network = ARCHITECTURES["lite"](96)
    options = FitOptions(freeze_norms=True)

    _compile(network, options, head_alone=True)
    head = len(network.trainable_variables)
    _compile(network, options, head_alone=False)

    assert head == 2
    assert not network.get_layer("block3_depth_norm").trainable
    assert len(network.trainable_variables) > 30
