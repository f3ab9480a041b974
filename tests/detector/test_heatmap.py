import keras
import numpy as np
import pytest

from detector.heatmap import make_heat
from fakesweep.errors import ModelError

SIDE_PX = 224
LAYERS = keras.layers


def light_up(top, left, side=40):
    """A black view with one white square."""
    view = np.zeros((SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    view[top : top + side, left : left + side] = 255
    return view


def see_white(x):
    """A convolution that answers white, eight times as small as the view, and what judges its mean."""
    convolution = LAYERS.Conv2D(
        1, 8, strides=8, kernel_initializer="ones", bias_initializer="zeros", activation="relu"
    )
    return convolution(x)


def build_functional():
    image = keras.Input((SIDE_PX, SIDE_PX, 3))
    x = see_white(LAYERS.Rescaling(1 / 255)(image))
    x = LAYERS.GlobalAveragePooling2D()(x)
    return keras.Model(image, LAYERS.Dense(1, "sigmoid", kernel_initializer="ones")(x))


def build_nested():
    image = keras.Input((SIDE_PX, SIDE_PX, 3))
    base = keras.Model(image, see_white(image))
    outer = keras.Input((SIDE_PX, SIDE_PX, 3))
    x = LAYERS.GlobalAveragePooling2D()(base(LAYERS.Rescaling(1 / 255)(outer)))
    return keras.Model(outer, LAYERS.Dense(1, "sigmoid", kernel_initializer="ones")(x))


def build_sequential():
    return keras.Sequential(
        [
            keras.Input((SIDE_PX, SIDE_PX, 3)),
            LAYERS.Rescaling(1 / 255),
            LAYERS.Conv2D(1, 8, strides=8, kernel_initializer="ones"),
            LAYERS.BatchNormalization(),
            LAYERS.ReLU(),
            LAYERS.MaxPooling2D(2),
            LAYERS.Flatten(),
            LAYERS.Dense(1, kernel_initializer="ones"),
            LAYERS.Activation("sigmoid"),
        ]
    )


@pytest.mark.parametrize("build", [build_functional, build_nested, build_sequential])
@pytest.mark.parametrize(("top", "left"), [(16, 16), (160, 16), (96, 160)])
def test_grad_cam_is_hot_where_the_model_looks(build, top, left):
    heat = make_heat(build(), light_up(top, left))

    assert heat.kind == "grad-cam"
    assert heat.values.shape == (28, 28)
    assert heat.values.max() == 1.0
    rows, columns = np.nonzero(heat.values > 0.5)
    assert (rows.min(), rows.max()) == (top // 8, (top + 39) // 8)
    assert (columns.min(), columns.max()) == (left // 8, (left + 39) // 8)


def test_what_speaks_against_fake_is_cold():
    network = build_functional()
    network.layers[-1].set_weights([-np.ones((1, 1)), np.zeros(1)])

    assert make_heat(network, light_up(16, 16)).values.max() == 0.0


def test_a_model_that_is_sure_still_explains_itself():
    network = build_functional()
    network.layers[-1].set_weights([np.full((1, 1), 1e4), np.zeros(1)])
    view = light_up(16, 16)

    assert float(network(view[None].astype(np.float32))[0, 0]) == 1.0
    assert make_heat(network, view).values.max() == 1.0


@pytest.mark.parametrize("build", [build_functional, build_nested, build_sequential])
def test_a_network_is_left_as_it_was(build):
    network = build()
    view = light_up(50, 60)
    before = float(network(view[None].astype(np.float32))[0, 0])

    make_heat(network, view)

    assert float(network(view[None].astype(np.float32))[0, 0]) == before
    assert not [layer for layer in network.layers if "call" in vars(layer)]


@pytest.mark.parametrize("name", ["MobileNetV2", "VGG16", "ResNet50", "EfficientNetV2B0"])
def test_networks_of_keras_applications_explain_themselves(name):
    keras.utils.set_random_seed(3)
    base = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(SIDE_PX, SIDE_PX, 3)
    )
    image = keras.Input((SIDE_PX, SIDE_PX, 3))
    x = LAYERS.GlobalAveragePooling2D()(base(image))
    network = keras.Model(image, LAYERS.Dense(1, "sigmoid")(x))
    noise = np.random.default_rng(3).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)

    heat = make_heat(network, noise)

    assert heat.values.shape == ((14, 14) if name == "VGG16" else (7, 7))
    assert np.isfinite(heat.values).all()


def test_a_patch_map_is_taken_as_it_is():
    image = keras.Input((SIDE_PX, SIDE_PX, 3))
    patches = LAYERS.Conv2D(1, 8, strides=8, name="patch_map")(image)
    pooled = LAYERS.GlobalAveragePooling2D()(patches)
    network = keras.Model(image, LAYERS.Activation("sigmoid")(pooled))
    network.get_layer("patch_map").set_weights([np.full((8, 8, 3, 1), 1e-4), np.full(1, -2.0)])

    heat = make_heat(network, light_up(16, 32))

    assert heat.kind == "patch_map"
    assert heat.values[0, 0] == pytest.approx(1 / (1 + np.exp(2.0)))
    assert heat.values[3, 5] == pytest.approx(1 / (1 + np.exp(2.0 - 192 * 255 * 1e-4)), rel=1e-4)


def test_a_model_without_a_convolution_says_so():
    network = keras.Sequential(
        [keras.Input((SIDE_PX, SIDE_PX, 3)), LAYERS.GlobalAveragePooling2D(), LAYERS.Dense(1)]
    )

    with pytest.raises(ModelError, match="has no convolution to explain itself by"):
        make_heat(network, light_up(0, 0))
