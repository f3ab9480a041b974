"""Engines: what serves a published version, and that all of them compute the same."""

import hashlib
import json
import logging
import shutil

import keras
import numpy as np
import pytest

from detector.card import Serving
from detector.engine import OPENVINO, TENSORFLOW
from detector.golden import golden_views
from detector.image import decode_image
from detector.model import load_detector
from detector.registry import BUILTIN_DIR, find_model
from detector.views import whole_view
from fakesweep.errors import ModelError
from training.publish import publish as publish_file
from training.serving import write_serving

VIEWS = np.stack([pixels for _, pixels in golden_views()] * 2)[:13]


def build_network(seed=7, depthwise=True):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.Input((224, 224, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(8, 5, strides=4, activation="relu6"),
        keras.layers.DepthwiseConv2D(3, padding="same", activation="swish"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1, activation="sigmoid", kernel_initializer="orthogonal"),
    ]
    return keras.Sequential(layers if depthwise else [*layers[:3], *layers[4:]])


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    build_network().save(folder / "file.keras")
    publish_file(folder / "file.keras", folder / "models", version="net", force=True)
    return folder / "models"


@pytest.fixture
def model(model_dir):
    return find_model(model_dir, "net")


def test_a_published_version_is_served_by_openvino_with_the_scores_of_tensorflow(model):
    served, kept = load_detector(model), load_detector(model, engine=TENSORFLOW)

    assert (served.engine.name, kept.engine.name) == (OPENVINO, TENSORFLOW)
    assert served.score_views(VIEWS) == pytest.approx(kept.score_views(VIEWS), abs=1e-5)
    assert len({round(score, 4) for score in served.score_views(VIEWS[:8])}) > 4


@pytest.mark.parametrize("version", sorted(path.name for path in BUILTIN_DIR.iterdir()))
def test_what_ships_scores_the_same_in_both_engines(version, test_data):
    model = find_model(BUILTIN_DIR.parent / "nowhere", version)
    paths = sorted((test_data / "faces").rglob("*.*"))[::350]
    pictures = (decode_image(path.read_bytes(), limit_px=10**8).pixels for path in paths)
    views = np.stack([whole_view(pixels) for pixels in pictures])

    served, kept = load_detector(model), load_detector(model, engine=TENSORFLOW)

    assert served.engine.name == OPENVINO
    assert served.score_views(views) == pytest.approx(kept.score_views(views), abs=1e-4)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_number_of_views_and_threads_gives_the_same_scores(model, threads):
    together = load_detector(model).score_views(VIEWS)
    detector = load_detector(model, threads=threads)

    for count in (0, 1, 2, 3, 13):
        assert detector.score_views(VIEWS[:count]) == pytest.approx(together[:count], abs=1e-6)


def test_a_version_without_a_serving_file_is_served_by_tensorflow(tmp_path, publish):
    build_network().save(tmp_path / "file.keras")
    publish(tmp_path / "models", "net", artefact=(tmp_path / "file.keras").read_bytes())
    model = find_model(tmp_path / "models", "net")

    assert load_detector(model).engine.name == TENSORFLOW
    with pytest.raises(ModelError, match=r"has no serving file.*FAKESWEEP_ENGINE to auto"):
        load_detector(model, engine=OPENVINO)


def test_an_altered_serving_file_is_refused(model_dir, tmp_path, copied):
    model = copied(model_dir / "net", tmp_path / "models")
    data = bytearray(model.serving.read_bytes())
    data[len(data) // 2] ^= 1
    model.serving.write_bytes(data)

    with pytest.raises(ModelError, match=r"model\.tflite: the model file was altered"):
        load_detector(model)


@pytest.mark.parametrize("content", ["another network", "no network"])
def test_tensorflow_judges_where_openvino_would_judge_otherwise(
    model_dir, tmp_path, copied, caplog, content
):
    model = copied(model_dir / "net", tmp_path / "models")
    if content == "no network":
        model.serving.write_bytes(b"\x20\x00\x00\x00TFL3 and no network")
    else:
        write_serving(build_network(seed=8), 224, model.folder)
    model = model_with_checksum(model)

    with caplog.at_level(logging.WARNING):
        detector = load_detector(model)

    assert detector.engine.name == TENSORFLOW
    assert "TensorFlow judges instead" in caplog.text
    with pytest.raises(ModelError, match=r"OpenVINO (computes another result|cannot run)"):
        load_detector(model, engine=OPENVINO)


def test_a_network_that_cannot_be_converted_has_no_serving_file(tmp_path, caplog):
    features = keras.Input((224, 224, 3))
    square = keras.layers.Resizing(4, 4)(features)[..., 0]
    score = keras.ops.sigmoid(keras.ops.mean(keras.ops.inv(square), axis=(1, 2)))[:, None]

    with caplog.at_level(logging.WARNING):
        assert write_serving(keras.Model(features, score), 224, tmp_path) is None

    assert "TensorFlow will serve" in caplog.text
    assert not list(tmp_path.iterdir())


@pytest.fixture
def copied():
    def copy(folder, models):
        shutil.copytree(folder, models / folder.name)
        return find_model(models, folder.name)

    return copy


def model_with_checksum(model):
    """Write the checksum of the serving file as it is now into the card."""
    content = model.serving.read_bytes()
    facts = json.loads((model.folder / "card.json").read_text())
    facts["serving"] |= {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
    }
    assert Serving.model_validate(facts["serving"])
    (model.folder / "card.json").write_text(json.dumps(facts))
    return find_model(model.folder.parent, model.version)
