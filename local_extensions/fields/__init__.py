"""The fields of a message: from text to plain data."""

from local_extensions.fields.faults import FieldFaults
from local_extensions.fields.reader import parse_message

__all__ = ["FieldFaults", "parse_message"]
