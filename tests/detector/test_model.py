import hashlib
import json

import keras
import numpy as np
import pytest

from detector.calibration import calibrate
from detector.golden import golden_views
from detector.keras_engine import describe_device
from detector.model import load_detector
from detector.registry import find_model
from fakesweep.errors import ModelError

SIDE_PX = 224


def build_network(side_px=SIDE_PX, outputs=1):
    keras.utils.set_random_seed(7)
    return keras.Sequential(
        [
            keras.Input((side_px, side_px, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 5, strides=4, activation="relu"),
            keras.layers.MaxPooling2D(8),
            keras.layers.Flatten(),
            keras.layers.Dense(outputs, activation="sigmoid"),
        ]
    )


@pytest.fixture
def publish_network(tmp_path, publish):
    """Save a network as a published version and find it again."""

    def save(network, version="net"):
        path = tmp_path / "saved.keras"
        network.save(path)
        publish(tmp_path / "models", version, artefact=path.read_bytes())
        return find_model(tmp_path / "models", version)

    return save


@pytest.fixture
def views():
    return np.stack([pixels for _, pixels in golden_views()] * 2)[:13]


def test_scores_are_the_calibrated_outputs_of_the_network(publish_network, views):
    network = build_network()
    model = publish_network(network)

    detector = load_detector(model, device_batch=4)

    outputs = np.asarray(network(views.astype(np.float32), training=False))[:, 0]
    scores = detector.score_views(views)
    assert scores.shape == (13,)
    assert scores.dtype == np.float64
    assert scores == pytest.approx(calibrate(outputs, slope=1.5, intercept=-0.25), abs=1e-5)
    assert len({round(score, 4) for score in scores[:8]}) == 8


def test_a_view_scores_the_same_however_many_stand_beside_it(publish_network, views):
    detector = load_detector(publish_network(build_network()), device_batch=4)

    together = detector.score_views(views)

    assert detector.score_views(views[:4]) == pytest.approx(together[:4], abs=1e-6)
    assert detector.score_views(views[12:]) == pytest.approx(together[12:], abs=1e-6)
    alone = [detector.score_views(views[at : at + 1])[0] for at in range(len(views))]
    assert alone == pytest.approx(together, abs=1e-6)


def test_no_views_have_no_scores(publish_network, views):
    detector = load_detector(publish_network(build_network()), device_batch=4)

    assert detector.score_views(views[:0]).shape == (0,)


def test_the_detector_tells_its_version_batch_and_device(publish_network):
    detector = load_detector(publish_network(build_network(), version="tiny-2"), threads=1)

    assert detector.version == detector.card.version == "tiny-2"
    assert detector.device_batch in (32, 256)
    assert detector.device == describe_device()
    assert detector.device.startswith(("CPU (", "GPU ("))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 224, 224, 3), dtype=np.float32),
        np.zeros((2, 128, 128, 3), dtype=np.uint8),
        np.zeros((224, 224, 3), dtype=np.uint8),
    ],
)
def test_views_of_another_shape_or_type_are_refused(publish_network, wrong):
    detector = load_detector(publish_network(build_network()), device_batch=2)

    with pytest.raises(ModelError, match=r"takes views of shape \(n, 224, 224, 3\)"):
        detector.score_views(wrong)


def test_an_altered_file_is_refused(publish_network):
    model = publish_network(build_network())
    data = bytearray(model.path.read_bytes())
    data[len(data) // 2] ^= 1
    model.path.write_bytes(data)

    with pytest.raises(ModelError, match=r"the model file was altered: expected SHA-256"):
        load_detector(model)


def test_a_missing_file_is_refused(publish_network):
    model = publish_network(build_network())
    model.path.unlink()

    with pytest.raises(ModelError, match="cannot be read: No such file"):
        load_detector(model)


def test_a_network_for_another_size_is_refused(publish_network):
    model = publish_network(build_network(side_px=128))

    expected = r"\(None, 224, 224, 3\). Received: \(None, 128, 128, 3\)"
    with pytest.raises(ModelError, match=expected):
        load_detector(model)


def test_a_network_with_two_outputs_is_refused(publish_network):
    model = publish_network(build_network(outputs=2))

    with pytest.raises(ModelError, match=r"\(None, 1\). Received: \(None, 2\)"):
        load_detector(model)


def test_a_file_that_would_run_code_is_refused(publish_network):
    network = build_network()
    network.add(keras.layers.Lambda(lambda scores: scores * 1.0))
    model = publish_network(network)

    with pytest.raises(ModelError, match="cannot load the model") as caught:
        load_detector(model)
    assert "\n" not in str(caught.value)


def test_a_checksummed_file_that_is_no_model_is_refused(tmp_path, publish):
    publish(tmp_path, "junk", artefact=b"PK\x03\x04 no archive")

    with pytest.raises(ModelError, match="cannot load the model"):
        load_detector(find_model(tmp_path, "junk"))


def test_a_network_that_answers_no_number_is_not_hidden(publish_network, views):
    network = build_network()
    network.layers[-1].bias.assign([float("nan")])
    detector = load_detector(publish_network(network), device_batch=4)

    assert np.isnan(detector.score_views(views)).all()


def test_a_card_that_asks_for_unknown_views_is_refused(publish_network):
    model = publish_network(build_network())
    facts = json.loads((model.folder / "card.json").read_text())
    facts["views"] = ["face"]
    (model.folder / "card.json").write_text(json.dumps(facts))

    with pytest.raises(ModelError, match="does not know its views"):
        load_detector(find_model(model.folder.parent, "net"))


def test_the_published_file_is_never_written_to(publish_network, views):
    model = publish_network(build_network())

    load_detector(model, device_batch=4).score_views(views)

    digest = hashlib.sha256(model.path.read_bytes()).hexdigest()
    assert digest == model.card.artefact.sha256
