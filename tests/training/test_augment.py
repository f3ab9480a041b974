"""Views are drawn by the seed alone, and no chain looks at the label; self-made fakes are labelled."""

import numpy as np
import pytest

from tests.training.conftest import draw_picture, write_pictures
from training.augment import live_as_file, turn_view
from training.batches import BatchPlan, Drawing, cell_shares, drawn_batches
from training.draw import FaceFile, cut_square, draw_view
from training.selfmade import SHARES, make_fake


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[FaceFile]:
    paths = write_pictures(tmp_path_factory.mktemp("faces"), 12, fake=False)
    return [FaceFile(path, (30, 30, 66, 70)) for path in paths]


def test_a_seed_decides_the_view_and_its_shape_never_changes(files):
    views = [
        draw_view(files, 3, np.random.default_rng(seed), crop_px=96) for seed in (*range(40), 0)
    ]

    assert all(view.shape == (96, 96, 3) and view.dtype == np.uint8 for view in views)
    assert np.array_equal(views[0], views[-1])
    assert len({view.tobytes() for view in views}) > 30


def test_a_files_life_changes_squares_and_leaves_them_square():
    square = draw_picture(5, fake=False, side=200)

    lived = [live_as_file(square, np.random.default_rng(seed)) for seed in range(40)]

    assert all(s.shape[0] == s.shape[1] and s.dtype == np.uint8 for s in lived)
    assert len({s.tobytes() for s in lived}) > 30
    assert len({s.shape for s in lived}) > 5


def test_turning_keeps_the_side():
    view = draw_picture(5, fake=False, side=144)

    turned = [turn_view(view, np.random.default_rng(seed)) for seed in range(40)]

    assert all(t.shape == view.shape and t.dtype == np.uint8 for t in turned)
    assert len({t.tobytes() for t in turned}) > 20


def test_a_square_stays_inside_whatever_the_box():
    pixels = draw_picture(5, fake=False, side=90)

    for box in (None, (-20, -20, 200, 200), (80, 80, 89, 89)):
        for seed in range(10):
            square = cut_square(pixels, box, np.random.default_rng(seed))

            assert 1 <= square.shape[0] == square.shape[1] <= 90


def test_self_made_fakes_differ_a_little_from_the_photo_and_come_in_all_kinds():
    square, other = (draw_picture(seed, fake=False, side=180) for seed in (1, 2))

    made = [make_fake(square, other, np.random.default_rng(seed)) for seed in range(30)]

    change = [float(np.abs(fake.astype(int) - square).mean()) for fake in made]
    assert all(fake.shape == square.shape and fake.dtype == np.uint8 for fake in made)
    assert 0.01 < min(change) <= max(change) < 30
    assert sum(SHARES.values()) == 1


def test_real_images_made_fake_are_labelled_fake_and_no_fake_is_labelled_real(files):
    labels = {row: row % 2 for row in range(12)}
    rows = np.repeat(np.arange(12), 10)
    drawing = Drawing(crop_px=64, self_made_share=0.5, seed=1)

    batches = list(drawn_batches(files, labels, rows, drawing, batch_size=20, epoch=0))

    truth = np.concatenate([truth for _, truth in batches])[:, 0]
    fakes = np.array([labels[int(row)] for row in rows]) == 1
    assert truth[fakes].all()
    assert 0.25 < truth[~fakes].mean() < 0.75


def test_classes_and_paired_sources_are_balanced():
    sources = ["pair"] * 120 + ["only_real"] * 500 + ["only_fake"] * 60
    labels = [0] * 100 + [1] * 20 + [0] * 500 + [1] * 60

    shares = cell_shares(sources, labels)

    assert shares == {
        ("only_fake", 1): 0.125,
        ("only_real", 0): 0.125,
        ("pair", 0): 0.375,
        ("pair", 1): 0.375,
    }


def test_shares_add_up_where_single_sources_are_of_one_class_only():
    shares = cell_shares(["a", "a", "b"], [0, 1, 0])

    assert sum(share for (_, label), share in shares.items() if label == 0) == pytest.approx(0.5)
    assert shares[("a", 1)] == 0.5
    assert shares[("b", 0)] > 0


def test_every_image_is_drawn_before_any_repeats_and_epochs_are_repeatable():
    rows = np.arange(10)
    plan = BatchPlan(["a"] * 10, [0, 1] * 5, rows, seed=1)

    epochs = [plan.draw_epoch(epoch, 10) for epoch in range(3)]

    assert all(sorted(epoch.tolist()) == rows.tolist() for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()
    assert plan.draw_epoch(2, 10).tolist() == epochs[2].tolist()


def test_batches_come_in_order_and_do_not_depend_on_threads(files):
    labels = {row: row % 2 for row in range(12)}
    rows = np.arange(12)[::-1].copy()
    drawing = Drawing(crop_px=224, self_made_share=0.0, seed=1)

    one, three = (
        list(drawn_batches(files, labels, rows, drawing, batch_size=2, epoch=0, threads=threads))
        for threads in (1, 3)
    )

    assert np.concatenate([truth for _, truth in one])[:, 0].tolist() == [1, 0] * 6
    for (first, _), (second, _) in zip(one, three, strict=True):
        assert np.array_equal(first, second)
