"""The address of the local stack is found again, wherever it can be written."""

import tempfile
from pathlib import Path

import pytest
from sqskit.address import claim, places, published, running_at
from sqskit.errors import UserError

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the template of a project, beside an own folder for temporary files."""
    for name in ("project", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "project" / "template.yaml"


def block(path: Path) -> None:
    """Make it impossible to write a file, even for root."""
    path.mkdir()


def test_address_is_found_while_it_is_published(template: Path, endpoint: str) -> None:
    with published(template, endpoint):
        assert running_at(template) == endpoint
    assert running_at(template) is None
    assert not any(path.exists() for path in places(template))


def test_project_that_cannot_be_written_to_has_its_address_elsewhere(template: Path, endpoint: str) -> None:
    block(template.parent / ".local-endpoint")
    with published(template, endpoint):
        assert running_at(template) == endpoint
        assert running_at(template.parent / "other" / "template.yaml") is None
    assert running_at(template) is None


def test_address_that_cannot_be_written_is_an_error(template: Path) -> None:
    for path in places(template):
        block(path)
    with pytest.raises(UserError, match="cannot write the address of the stack to "), published(template, NOBODY):
        pass


def test_stack_that_runs_is_not_replaced(template: Path, endpoint: str) -> None:
    with published(template, endpoint):
        with pytest.raises(UserError, match=f"a stack of this project already runs at {endpoint}; stop it first"):
            claim(template)
        with published(template, NOBODY):  # it has started at the same time
            assert running_at(template) == endpoint
        assert running_at(template) == endpoint


@pytest.mark.parametrize("left", [NOBODY, "", "https://sqs.us-east-1.amazonaws.com"])
def test_address_of_a_stack_that_was_killed_is_removed(template: Path, left: str) -> None:
    path = template.parent / ".local-endpoint"
    path.write_text(left, "utf-8")
    assert running_at(template) is None
    claim(template)
    assert not path.exists()
