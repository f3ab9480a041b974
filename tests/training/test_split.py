"""Splits keep groups together and classes apart."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fakesweep.errors import TrainingError
from tests.training.conftest import draw_picture
from training.images import LabelledImage
from training.split import difference_hash, find_groups, near_pairs, split_dataset


def make_images(count: int, **facts) -> list[LabelledImage]:
    return [
        LabelledImage(Path(f"{number}.jpg"), number % 2, "abc"[number % 3], **facts)
        for number in range(count)
    ]


def test_no_group_straddles_and_every_source_is_on_all_sides():
    images = make_images(600)
    groups = [f"person-{number // 4}" for number in range(600)]

    splits = split_dataset(images, groups, val_share=0.2, seed=1)

    for group in set(groups):
        assert len({s for s, g in zip(splits, groups, strict=True) if g == group}) == 1
    for name in ("train", "val_choose", "val_report"):
        sides = {(i.source, i.label) for i, s in zip(images, splits, strict=True) if s == name}
        assert len(sides) == 6
    share = sum(split != "train" for split in splits) / 600
    assert 0.15 <= share <= 0.22


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    images, groups = make_images(200), [str(number) for number in range(200)]

    first, again, other = (
        split_dataset(images, groups, val_share=0.2, seed=seed) for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_manifest_splits_are_kept_and_other_names_are_held_out():
    images = [
        LabelledImage(
            Path(f"{n}.jpg"), n % 2, "a", split=("train", "val", "unseen_val")[n // 2 % 3]
        )
        for n in range(60)
    ]

    splits = split_dataset(images, [str(n) for n in range(60)], val_share=0.5, seed=1)

    for image, split in zip(images, splits, strict=True):
        assert split.startswith(image.split) if image.split == "val" else split == image.split


def test_an_unsplit_image_follows_its_group_into_the_held_out_split():
    images = make_images(80)
    images[0] = LabelledImage(Path("0.jpg"), 0, "a", split="unseen_val")
    groups = ["same", "same", *map(str, range(78))]

    splits = split_dataset(images, groups, val_share=0.3, seed=1)

    assert splits[:2] == ["unseen_val", "unseen_val"]


def test_a_manifest_group_in_two_splits_is_refused():
    images = [LabelledImage(Path("0"), 0, "a", split=s) for s in ("train", "val")]

    with pytest.raises(
        TrainingError, match="1 groups of the manifest stand in more than one split"
    ):
        split_dataset(images, ["person", "person"], val_share=0.2, seed=1)


def test_too_few_groups_to_split_are_refused():
    with pytest.raises(TrainingError, match=r"too few to split"):
        split_dataset(make_images(40), ["one"] * 40, val_share=0.2, seed=1)


def test_near_duplicates_share_a_group_and_others_do_not():
    one = draw_picture(1, fake=False, side=224)
    recoded = cv2.imdecode(cv2.imencode(".jpg", one, (cv2.IMWRITE_JPEG_QUALITY, 40))[1], 1)
    smaller = cv2.resize(cv2.resize(one, (150, 150)), (224, 224))
    others = [draw_picture(seed, fake=False, side=224) for seed in range(2, 12)]
    hashes = [difference_hash(view) for view in (one, recoded, smaller, *others)]

    pairs = near_pairs(np.array(hashes, dtype=np.uint64))
    groups = find_groups(make_images(13), pairs, [str(n) for n in range(13)])

    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups)) == 11


def test_identical_bytes_and_manifest_groups_join_images():
    images = [*make_images(2), *make_images(2, group="person")]

    groups = find_groups(images, [(0, 2)], ["x", "x", "y", "z"])

    assert len(set(groups)) == 1
