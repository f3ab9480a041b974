import hashlib

import numpy as np

from detector.golden import golden_views
from detector.views import is_blank


def test_eight_different_views_of_the_models_size_are_drawn():
    views = golden_views()

    assert len({name for name, _ in views}) == 8
    assert len({pixels.tobytes() for _, pixels in views}) == 8
    assert all(pixels.shape == (224, 224, 3) for _, pixels in views)
    assert all(pixels.dtype == np.uint8 for _, pixels in views)


def test_no_golden_view_is_blank():
    assert [name for name, pixels in golden_views() if is_blank(pixels)] == []


def test_the_drawings_are_the_same_bytes_everywhere():
    digest = hashlib.sha256()
    for name, pixels in golden_views():
        digest.update(name.encode() + pixels.tobytes())

    assert digest.hexdigest() == "cc8b455d96383e84007e32fdceb21ce258e976768de610c17688da6ba1069f20"
