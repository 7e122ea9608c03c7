"""The files in contract/ that are made from the message class and the examples."""

from pathlib import Path

import pytest
from sqskit.contract import files
from sqskit.errors import UserError

ROOT = Path(__file__).parents[1]


def test_contract_is_up_to_date() -> None:
    try:
        expected = files(ROOT / "template.yaml")
    except UserError as error:
        pytest.fail(str(error), pytrace=False)
    for path, text in expected.items():
        assert path.read_text("utf-8") == text, f"{path.name} is stale: run `make contract`"
