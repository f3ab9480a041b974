import pytest

from detector import registry
from detector.registry import find_model, list_models, verify_model
from fakesweep.errors import ModelError


@pytest.fixture(autouse=True)
def builtin_dir(tmp_path, monkeypatch):
    """The built-in folder is a place of its own here, so that shipped versions do not interfere."""
    monkeypatch.setattr(registry, "BUILTIN_DIR", tmp_path / "builtin")
    return tmp_path / "builtin"


@pytest.fixture
def model_dir(tmp_path):
    return tmp_path / "models"


def test_versions_are_listed_oldest_first(model_dir, publish):
    publish(model_dir, "b", created_at="2026-01-02T00:00:00Z")
    publish(model_dir, "a", created_at="2026-01-03T00:00:00Z")
    publish(model_dir, "c", created_at="2026-01-01T00:00:00+02:00")

    assert [model.version for model in list_models(model_dir)] == ["c", "b", "a"]


def test_the_pointer_names_the_current_version(model_dir, publish):
    publish(model_dir, "a")
    publish(model_dir, "b")
    (model_dir / "current").write_text("a\n")

    assert find_model(model_dir).version == "a"
    assert [m.version for m in list_models(model_dir) if m.current] == ["a"]
    assert not find_model(model_dir, "b").current


def test_the_builtin_version_is_current_where_nothing_is_promoted(model_dir, builtin_dir, publish):
    publish(builtin_dir, "shipped")
    publish(model_dir, "mine")

    found = find_model(model_dir)

    assert (found.version, found.builtin, found.current) == ("shipped", True, True)
    assert not find_model(model_dir, "mine").current
    assert find_model(model_dir, "shipped").current


def test_the_newest_of_several_builtin_versions_is_current(model_dir, builtin_dir, publish):
    publish(builtin_dir, "z-old", created_at="2026-01-01T00:00:00Z")
    publish(builtin_dir, "a-new", created_at="2026-02-01T00:00:00Z")

    assert find_model(model_dir).version == "a-new"


def test_a_promoted_version_goes_before_the_builtin_one(model_dir, builtin_dir, publish):
    publish(builtin_dir, "shipped")
    publish(model_dir, "mine")
    (model_dir / "current").write_text("mine")

    assert find_model(model_dir).version == "mine"
    assert not find_model(model_dir, "shipped").current


def test_half_published_folders_are_ignored(model_dir, publish):
    publish(model_dir, "a")
    publish(model_dir, ".b.partial")

    assert [model.version for model in list_models(model_dir)] == ["a"]
    with pytest.raises(ModelError, match="unknown model version"):
        find_model(model_dir, ".b.partial")


def test_an_unknown_version_is_answered_with_the_known_ones(model_dir, publish):
    publish(model_dir, "a")
    publish(model_dir, "b")

    with pytest.raises(ModelError, match=r"'x'.*known: a, b"):
        find_model(model_dir, "x")


@pytest.mark.parametrize("version", ["../a", "/etc", "", "."])
def test_a_version_cannot_lead_out_of_the_registry(model_dir, publish, version):
    publish(model_dir, "a")

    with pytest.raises(ModelError, match="unknown model version"):
        find_model(model_dir, version)


def test_no_model_at_all_is_told_with_the_cure(model_dir):
    assert list_models(model_dir) == []
    with pytest.raises(ModelError, match=r"no model is installed.*fakesweep train"):
        find_model(model_dir)


def test_a_pointer_to_a_missing_version_is_an_error(model_dir, builtin_dir, publish):
    publish(builtin_dir, "shipped")
    publish(model_dir, "a")
    (model_dir / "current").write_text("gone\n")

    with pytest.raises(ModelError, match=r"current names model version 'gone'.*known: a, shipped"):
        find_model(model_dir)


@pytest.mark.parametrize("text", ["", "a b\n", "../a", "a\nb"])
def test_a_malformed_pointer_is_an_error(model_dir, publish, text):
    publish(model_dir, "a")
    (model_dir / "current").write_text(text)

    with pytest.raises(ModelError, match="expected one line with a model version"):
        find_model(model_dir)
    assert [model.current for model in list_models(model_dir)] == [False]


def test_a_registry_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "models").write_text("")

    with pytest.raises(ModelError, match="cannot be read: Not a directory"):
        find_model(tmp_path / "models")


def test_a_broken_card_hides_no_other_version(model_dir, publish, caplog):
    publish(model_dir, "good")
    (publish(model_dir, "bad") / "card.json").write_text("{")

    assert [model.version for model in list_models(model_dir)] == ["good"]
    assert "bad" in caplog.text
    assert find_model(model_dir, "good").version == "good"
    with pytest.raises(ModelError, match=r"bad/card\.json"):
        find_model(model_dir, "bad")


def test_a_renamed_folder_is_refused(model_dir, publish):
    publish(model_dir, "a").rename(model_dir / "b")

    with pytest.raises(ModelError, match=r"expected 'b', the folder's name. Received: 'a'"):
        find_model(model_dir, "b")


def test_an_untouched_artefact_is_verified(model_dir, publish):
    publish(model_dir, "a")

    assert verify_model(find_model(model_dir, "a")) is None


@pytest.mark.parametrize("altered", [b"weightz", b"weight", b"weights+"])
def test_an_altered_artefact_is_refused(model_dir, publish, altered):
    publish(model_dir, "a", artefact=b"weights")
    model = find_model(model_dir, "a")
    model.path.write_bytes(altered)

    with pytest.raises(ModelError, match=r"model\.keras: the model file was altered.*Received"):
        verify_model(model)


def test_a_missing_artefact_is_refused(model_dir, publish):
    publish(model_dir, "a")
    model = find_model(model_dir, "a")
    model.path.unlink()

    with pytest.raises(ModelError, match=r"model\.keras: cannot be read: No such file"):
        verify_model(model)
