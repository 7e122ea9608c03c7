"""A pasted JSON text -> a JSON value."""

import json
import math
import re
from typing import Any, NoReturn

from local_extensions.fields.faults import FieldFaults, Span
from local_extensions.fields.source import Source

LONGEST_JSON = 65_536


def is_json(text: str) -> bool:
    """Tell whether an answer is meant as JSON, and not as fields or the kinds of a message."""
    source = Source(text)
    if re.match(r"\s*\{\s*\w+\??\s*:", text):  # a name without quotes
        return False
    return text.lstrip()[:1] in {"{", "["} and len(source.split(source.whole, "|")) == 1


def read_json(text: str) -> Any:
    """Return a pasted JSON value. Raises FieldFaults."""
    if len(text) > LONGEST_JSON:
        raise FieldFaults([f"the JSON has {len(text)} characters; the limit is {LONGEST_JSON}"])
    try:
        text.encode()  # JSON can hold half of a surrogate pair, but no file can
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        source = Source(" ".join(text.splitlines()) if "\n" in text else text)
        source.fault(Span(error.pos, error.pos + 1), f"this is not JSON: {error.msg}")
        raise FieldFaults(source.report()) from error
    except RecursionError as error:
        raise FieldFaults(["the JSON is nested too deeply"]) from error
    except ValueError as error:
        raise FieldFaults([f"the JSON cannot be used: {error}"]) from error
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float:
    if math.isinf(float(number)):
        raise ValueError(f"{number} is too large")
    return float(number)
