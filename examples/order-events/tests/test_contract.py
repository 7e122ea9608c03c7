"""The files in contract/ that are made from the message class and the example body."""

from pathlib import Path

from sqskit.contract import files

ROOT = Path(__file__).parents[1]


def test_contract_is_up_to_date() -> None:
    for path, text in files(ROOT / "template.yaml").items():
        assert path.read_text("utf-8") == text, f"{path.name} is stale: run `make contract`"
