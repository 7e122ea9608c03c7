"""The names of the generated classes and of their fields in Python."""

import keyword
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, count

from local_extensions.fields.model import DictOf, Field, ListOf, Message, Scalar, Type, parts
from local_extensions.fields.names import is_taken, pascal_case

LONGEST_CLASS_NAME = 39
LINE_LENGTH = 100

# Names that mean something inside the generated class, or read like a digit.
_TAKEN_NAMES = {"self", "msgspec", "l"}


class ClassNames:
    """The names of the classes of one message, each given once."""

    def __init__(self, root: str) -> None:
        self.taken = {root}

    def give(self, field_name: str, parent: str) -> str:
        """Return a name for the class of a field: the field's, or else the parent's with it, or a number."""
        name = pascal_case(field_name)
        # The class and the name of the field fit into one line.
        room = LINE_LENGTH - len("     :  | None = msgspec.field(") - len(field_name)
        longest = min(LONGEST_CLASS_NAME, room)
        numbered = (f"{name[: longest - 2]}{n}" for n in count(2))
        candidates = chain([name[:longest], f"{parent}{name}"[:longest]], numbered)
        found = next(each for each in candidates if each not in self.taken and not is_taken(each))
        self.taken.add(found)
        return found


def with_own_names(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Give each field of a class a name of its own in Python, which hides no type that the class uses."""
    fields = list(fields)
    hidden = _TAKEN_NAMES.union(*(_names_of_types(field.type) for field in fields))
    names: list[str] = []
    for field in fields:
        name = f"{field.name}_" if field.name in hidden or keyword.iskeyword(field.name) else field.name
        candidates = chain([name], (f"{field.name}_{n}" for n in count(2)))
        names.append(next(each for each in candidates if each not in names))
    return tuple(replace(field, name=name) for field, name in zip(fields, names, strict=True))


def _names_of_types(type_: Type) -> set[str]:
    """Return the names of types that the annotation of a field uses."""
    match type_:
        case Message():
            return set()  # the annotations of its fields are in another class
        case Scalar(name=name):
            own = {name}
        case ListOf():
            own = {"list"}
        case DictOf():
            own = {"dict", "str"}
        case _:
            own = set()
    return own.union(*(_names_of_types(part) for part in parts(type_)))
