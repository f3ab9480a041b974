import json

import pytest

from detector.card import read_card, write_card
from fakesweep.errors import ModelError


def test_a_card_survives_writing_and_reading(tmp_path, card):
    write_card(tmp_path / "card.json", card)

    assert read_card(tmp_path / "card.json") == card


def test_a_written_card_keeps_the_published_shape(tmp_path, card, card_facts):
    write_card(tmp_path / "card.json", card)

    assert json.loads((tmp_path / "card.json").read_text()) == card_facts


def test_a_card_cannot_be_changed(card):
    with pytest.raises(ValueError, match="frozen"):
        card.thresholds.fake_threshold = 0.1


@pytest.mark.parametrize(
    ("section", "field", "value", "told"),
    [
        (None, "card_format", 3, "card_format"),
        (None, "version", "../evil", "version"),
        (None, "version", "a" * 65, "version"),
        (None, "views", [], "views"),
        (None, "created_at", "2026-11-23T07:00:00", "created_at"),
        (None, "surprise", 1, "surprise"),
        ("artefact", "sha256", "ABC", "artefact.sha256"),
        ("artefact", "file", "../model.keras", "artefact.file"),
        ("artefact", "file", "model.h5", "artefact.file"),
        ("artefact", "size_bytes", 0, "artefact.size_bytes"),
        ("input", "range", [0, 1], "input"),
        ("labels", "fake", 0, "labels.fake"),
        ("calibration", "slope", -1.0, "calibration.slope"),
        ("calibration", "method", "none", "calibration"),
        ("thresholds", "fake_threshold", 1.5, "thresholds.fake_threshold"),
        ("thresholds", "real_threshold", 0.9, "thresholds"),
        ("faces", "smallest_px", 0, "faces.smallest_px"),
    ],
)
def test_a_broken_field_is_named_with_file_and_value_in_one_line(
    tmp_path, card_facts, section, field, value, told
):
    (card_facts[section] if section else card_facts)[field] = value
    path = tmp_path / "card.json"
    path.write_text(json.dumps(card_facts))

    with pytest.raises(ModelError) as caught:
        read_card(path)

    message = str(caught.value)
    assert f"{path}: {told}: " in message
    assert "Received: " in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_file_that_is_no_card_is_refused(tmp_path, text):
    (tmp_path / "card.json").write_text(text)

    with pytest.raises(ModelError, match=r"card\.json: "):
        read_card(tmp_path / "card.json")


def test_a_missing_card_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"card\.json: cannot be read: No such file"):
        read_card(tmp_path / "card.json")


def test_a_card_without_a_field_is_refused(tmp_path, card_facts):
    del card_facts["thresholds"]["target_fpr"]
    (tmp_path / "card.json").write_text(json.dumps(card_facts))

    with pytest.raises(ModelError, match=r"thresholds\.target_fpr: Field required"):
        read_card(tmp_path / "card.json")


def test_a_card_that_judges_faces_survives_writing_and_reading(tmp_path, face_card_facts):
    (tmp_path / "card.json").write_text(json.dumps(face_card_facts))

    card = read_card(tmp_path / "card.json")
    write_card(tmp_path / "again.json", card)

    assert card.faces.largest == 8
    assert json.loads((tmp_path / "again.json").read_text()) == face_card_facts


@pytest.mark.parametrize(
    ("section", "field", "value", "told"),
    [
        (None, "aggregate", "max", "card_format 2 needs aggregate 'worst_face'"),
        (None, "card_format", 1, "card_format 1 needs aggregate 'max'"),
        ("faces", "largest", None, "card_format 2 needs faces.sharpness_floor and faces.largest"),
        ("faces", "largest", 0, "faces.largest"),
        ("faces", "largest", 65, "faces.largest"),
        ("faces", "sharpness_floor", -0.1, "faces.sharpness_floor"),
        ("faces", "sharpness_floor", "soft", "faces.sharpness_floor"),
    ],
)
def test_the_fields_of_a_card_format_belong_together(
    tmp_path, face_card_facts, section, field, value, told
):
    (face_card_facts[section] if section else face_card_facts)[field] = value
    path = tmp_path / "card.json"
    path.write_text(json.dumps(face_card_facts))

    with pytest.raises(ModelError, match=told) as caught:
        read_card(path)

    assert "\n" not in str(caught.value)


def test_a_card_of_the_first_format_knows_nothing_of_found_faces(tmp_path, card_facts):
    card_facts["faces"]["largest"] = 8
    path = tmp_path / "card.json"
    path.write_text(json.dumps(card_facts))

    with pytest.raises(ModelError, match=r"card_format 1 knows no faces\.largest"):
        read_card(path)
