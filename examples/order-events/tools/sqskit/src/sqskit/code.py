"""The code of the functions in a SAM template, and the layers beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqskit.template import functions


@dataclass(frozen=True)
class Code:
    """What a function runs."""

    folder: Path
    layers: list[Path]  # the folders on this machine that it can import from
    missing_layers: list[str]  # the other ones


def code_of_functions(template: Any, root: Path) -> dict[str, Code | str]:
    """Return the code of each function by its logical id, or why it cannot run here."""
    return {
        name: code_of(function, template["Resources"], root)
        for name, function in functions(template)
    }


def code_of(function: Any, resources: Any, root: Path) -> Code | str:
    """Return the code of a function, or why it cannot run here."""
    place = function.get("CodeUri")
    if function.get("PackageType") == "Image":
        return "it is a container image"
    if "InlineCode" in function:
        return "its code is inline; move it into a folder, and name that in CodeUri"
    if isinstance(place, dict) or str(place).startswith("s3://"):
        return "its code is not on this machine; name its folder in CodeUri"
    if place is None:
        return "it has no CodeUri"
    layers = list(layers_of(function, resources, root))
    return Code(
        folder=root / place,
        layers=[each for each in layers if isinstance(each, Path)],
        missing_layers=[each for each in layers if isinstance(each, str)],
    )


def layers_of(function: Any, resources: Any, root: Path) -> Iterator[Path | str]:
    """Yield the folder of each layer, or the name of one that is not on this machine."""
    for layer in function.get("Layers", []):
        value = next(iter(layer.values())) if isinstance(layer, dict) else layer
        place = resources.get(str(value), {}).get("Properties", {}).get("ContentUri")
        folder = root / place if isinstance(place, str) else None
        if folder and folder.is_dir():
            packed = folder / "python"
            yield packed if packed.is_dir() else folder
        else:  # an ARN, as a rule
            yield str(value).partition(":layer:")[2].partition(":")[0] or str(value)
