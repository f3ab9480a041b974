"""Augmentation and batches do not look at the label."""

import numpy as np
import pytest

from tests.training.conftest import draw_picture
from training.augment import augment_view
from training.batches import BatchPlan, augmented_batches, cell_shares


def test_a_seed_decides_the_augmentation_and_keeps_shape_and_range():
    view = draw_picture(5, fake=False, side=224)

    results = [augment_view(view, np.random.default_rng(seed)) for seed in (*range(40), 0)]

    assert all(r.shape == (224, 224, 3) and r.dtype == np.uint8 for r in results)
    assert np.array_equal(results[0], results[-1])
    assert len({r.tobytes() for r in results}) > 30


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


def test_batches_come_in_order_and_do_not_depend_on_threads():
    views = np.stack([draw_picture(seed, fake=False, side=224) for seed in range(12)])
    rows = np.arange(12)[::-1].copy()

    one, three = (
        list(augmented_batches(views, rows, batch_size=2, seed=1, epoch=0, threads=threads))
        for threads in (1, 3)
    )

    assert np.concatenate([batch for batch, _ in one]).tolist() == rows.tolist()
    for (_, first), (_, second) in zip(one, three, strict=True):
        assert np.array_equal(first, second)
