"""One line of text -> the fields that tell messages apart.

Names are written as they are in the JSON, with dots between an object and a field in it, and commas between
fields: `orderId`, `order.id, "detail-type"`. A message whose key was seen before is not handled again, so a key
that many different messages share is refused.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from local_extensions.fields.classes import LINE_LENGTH
from local_extensions.fields.faults import FieldFaults, Span, code, short
from local_extensions.fields.kinds import wire_name
from local_extensions.fields.model import (
    Anything,
    Choice,
    DictOf,
    Field,
    Kinds,
    ListOf,
    Message,
    Nullable,
    Scalar,
    Tag,
    Type,
    Union,
)
from local_extensions.fields.names import LONGEST_NAME, is_id
from local_extensions.fields.source import Source

LONGEST_TEXT = 20_000
MOST_FIELDS = 20

# Even in the deepest form of the generated call, a field fits into one line: 12 spaces before it, a comma after it.
LONGEST_PATH = LINE_LENGTH - len("            message.,")

# A whole number with this many values at most does not tell messages apart.
FEW_VALUES = 1_000

# An error line lists this many fields at most.
_MOST_LISTED = 6

_STRING = re.compile(r"""(?P<quote>["'])(?:(?!(?P=quote)|\\).|\\.)*(?P=quote)""", re.DOTALL)

_NULL, _OPTIONAL = "can be null", "can be left out"
_NO_OTHER = "no field of this message tells messages apart, so leave the answer empty"

# What a name in JSON leads to in one object.
_Found = Field | Tag


@dataclass(frozen=True)
class KeyField:
    """A field of the key: the names in Python that lead to it. is_tag: it is the tag of the object they lead to."""

    names: tuple[str, ...]
    is_tag: bool = False


def parse_key(text: str, message: Message | Kinds) -> tuple[KeyField, ...]:
    """Read text such as `orderId, order.id`, and return these fields of the message, in this order.

    Kinds of a message may share a value, so their tag comes first if it is not in the text.
    Raises FieldFaults, with every fault of the text.
    """
    if len(text) > LONGEST_TEXT:
        raise FieldFaults([f"the answer has {len(text)} characters; the limit is {LONGEST_TEXT}"])
    source = Source(text)
    source.check()
    fields = [] if source.faults else _Reader(source, message).fields()
    if source.faults:
        raise FieldFaults(source.report())
    tag = KeyField((), is_tag=True)
    return tuple(fields if isinstance(message, Message) or tag in fields else [tag, *fields])


class _Wrong(Exception):
    """A part of a path is wrong: where it is, and why."""

    def __init__(self, span: Span, what: str) -> None:
        super().__init__(what)
        self.span = span
        self.what = what


class _Reader:
    def __init__(self, source: Source, message: Message | Kinds) -> None:
        self.source = source
        self.kinds = message.kinds if isinstance(message, Kinds) else (message,)

    def fields(self) -> list[KeyField]:
        """Read the whole text. Faults are reported."""
        found: dict[tuple[str, ...], KeyField] = {}  # by their names in JSON
        pieces = self.source.split(self.source.whole, ",")
        if len(pieces) > MOST_FIELDS:
            self.source.fault(self.source.whole, f"the key has {len(pieces)} fields; the limit is {MOST_FIELDS}")
            return []
        for piece in pieces:
            place = self.source.stripped(piece)
            if place.start == place.end:
                self.no_field(piece)
                continue
            try:
                names, field = self.field(place)
            except _Wrong as wrong:
                self.source.fault(wrong.span, wrong.what)
                continue
            if names in found:
                self.source.fault(place, f"{code(self.source.at(place))} appears twice")
            found[names] = field
        if not self.source.faults and (fault := _fault_of_key(self.kinds, list(found))):
            self.source.fault(self.source.stripped(self.source.whole), fault)
        return list(found.values())

    def no_field(self, piece: Span) -> None:
        """Report a comma with nothing on one side of it."""
        if piece.end < self.source.whole.end:
            self.source.fault(Span(piece.end, piece.end + 1), "there is no field before this comma")
        else:
            self.source.fault(Span(piece.start - 1, piece.start), "there is no field after this comma")

    def field(self, span: Span) -> tuple[tuple[str, ...], KeyField]:
        """Read one field, and return its names in JSON too. Raises _Wrong."""
        if fault := self.fault_of_quotes(span, self.kinds):
            raise _Wrong(span, fault)
        pieces = self.source.split(span, ".")
        for piece in pieces:
            if not self.source.at(piece).strip():
                dots = Span(max(span.start, piece.start - 1), min(span.end, piece.end + 1))
                raise _Wrong(dots, "a name is missing next to this dot")
        objects, owner = self.kinds, "the message"
        wire_names: list[str] = []
        names: list[str] = []
        *before, last = map(self.source.stripped, pieces)
        for place in before:
            fields = self.named(place, objects, owner)
            owner = code(self.source.at(place))
            objects = _objects(fields, place, owner)
            wire_names.append(fields[0].wire_name)
            names += _python_names(fields)
        fields = self.named(last, objects, owner)
        if fault := _fault_of_value(fields, code(self.source.at(span)), self.source.at(span)):
            raise _Wrong(span, fault)
        found = KeyField((*names, *_python_names(fields)), isinstance(fields[0], Tag))
        if not _fits(found):
            raise _Wrong(span, f"this is too long in Python; the limit is {LONGEST_PATH} characters with all dots")
        return (*wire_names, fields[0].wire_name), found

    def named(self, place: Span, objects: Sequence[Message], owner: str) -> list[_Found]:
        """Return the field that a piece of a path names, in each of some objects. Raises _Wrong."""
        typed = self.source.at(place)
        if fault := self.fault_of_quotes(place, objects) or _fault_of_name(typed):
            raise _Wrong(place, fault)
        name = wire_name(typed)
        found = [_named(each, name) for each in objects]
        if not any(found):
            raise _Wrong(place, f"{owner} has no field {code(typed)}{_meant(name, objects)}")
        for each, field in zip(objects, found, strict=True):
            if field is None:
                subject = f"messages with {_constant(each)} have"
                if objects is not self.kinds:
                    subject = f"{owner} with {_constant(each)} has"
                raise _Wrong(place, f"{subject} no field {code(typed)}; use one that every kind has")
        fields = [field for field in found if field]
        if len({field.name for field in fields if isinstance(field, Field)}) > 1:
            raise _Wrong(place, f"{code(typed)} has different names in Python in the kinds; use another field")
        return fields

    def fault_of_quotes(self, place: Span, objects: Sequence[Message]) -> str | None:
        """Say so if a text would name a field with quotes around it."""
        typed = self.source.at(place)
        if not _is_plain(typed) and any(_named(each, typed) for each in objects):
            return f"{code(typed)} needs quotes: {short(_typed([typed]))}"
        return None


# --- one field --------------------------------------------------------------------------------


def _named(message: Message, name: str) -> _Found | None:
    """Return the field or the tag that has a name in JSON."""
    if message.tag and message.tag.wire_name == name:
        return message.tag
    return next((field for field in message.fields if field.wire_name == name), None)


def _python_names(fields: Sequence[_Found]) -> tuple[str, ...]:
    """Return the name in Python of a field that has the same one in each object; a tag has none."""
    return tuple(field.name for field in fields[:1] if isinstance(field, Field))


def _fits(field: KeyField) -> bool:
    around = len("type().__name__") if field.is_tag else 0
    return len(".".join(field.names)) + around <= LONGEST_PATH


def _options(fields: Iterable[_Found]) -> list[Type]:
    """Return the types of some fields, those in a union one by one."""
    types = [field.type for field in fields if isinstance(field, Field)]
    types = [type_.item if isinstance(type_, Nullable) else type_ for type_ in types]
    return [option for type_ in types for option in (type_.options if isinstance(type_, Union) else (type_,))]


def _objects(fields: Sequence[_Found], place: Span, shown: str) -> tuple[Message, ...]:
    """Return the objects that a field on the way can be. Raises _Wrong."""
    if any(isinstance(field, Field) and isinstance(field.type, Nullable) for field in fields):
        raise _Wrong(place, f"{shown} can be null, so a field in it cannot be part of the key")
    options = _options(fields)
    objects = tuple(option for option in options if isinstance(option, Message))
    if objects and len(objects) == len(options):
        return objects
    if objects:
        raise _Wrong(place, f"{shown} is not always an object, so a field in it cannot be part of the key")
    match options:
        case [ListOf(), *_]:
            raise _Wrong(place, f"{shown} is a list, and a field of its items cannot be part of the key")
        case [DictOf(), *_]:
            raise _Wrong(place, f"{shown} is a dict, and its values cannot be part of the key")
        case [Anything(), *_]:
            raise _Wrong(place, f"{shown} can be any value, so a field in it cannot be part of the key")
    raise _Wrong(place, f"{shown} is a single value and has no fields")


def _fault_of_value(fields: Sequence[_Found], shown: str, typed: str) -> str | None:
    """Say why a field is not a single value; None if it is one."""
    options = _options(fields)
    objects = [option for option in options if isinstance(option, Message)]
    if objects and len(objects) == len(options):
        inside = _best(objects)
        better = f"write a field in it, such as {code(f'{typed}.{_typed(inside)}')}" if inside else "use another field"
        return f"{shown} is an object; {better}"
    verb = "is" if len(options) == 1 else "can be"
    for option in options:
        match option:
            case ListOf():
                return f"{shown} {verb} a list; only single values can be part of the key"
            case DictOf():
                return f"{shown} {verb} a dict; only single values can be part of the key"
            case Message():
                return f"{shown} {verb} an object; only single values can be part of the key"
            case Anything():
                return f"{shown} can be any value, even a list; use a field of a type such as str"
    return None


# --- names ------------------------------------------------------------------------------------


def _is_plain(name: str) -> bool:
    """Tell whether a name needs no quotes."""
    return name.isascii() and name.isidentifier()


def _typed(names: Iterable[str]) -> str:
    """Return how somebody types a path, with quotes where they are needed."""
    return ".".join(name if _is_plain(name) else f'"{name}"' for name in names)


def _fault_of_name(typed: str) -> str | None:
    """Say why a text is not a name, if a sign in it tells what was meant; None if it may be one."""
    if _is_plain(typed) or _STRING.fullmatch(typed):
        return None
    if set(typed) & set("()[]{}"):
        return "brackets are not allowed here; write names with commas between them, such as orderId, order.id"
    if set(typed) & set(":="):
        return f"{code(typed)} is more than a name; write the name alone"
    if re.search(r"[\s;|+&/]", typed):
        return f"{code(typed)} is not a name; fields are separated by commas"
    if set(typed) & {'"', "'"}:
        return f"{code(typed)} is not a name; put all of it in quotes"
    return None


def _meant(name: str, objects: Sequence[Message]) -> str:
    """Say which field was probably meant by an unknown name, or else which fields there are."""
    names = list(dict.fromkeys(name for each in objects for name in _names(each)))
    fields = [field for each in objects for field in each.fields]
    if wire := next((field.wire_name for field in fields if field.name == name), None):
        return f"; that is its name in Python, so write {code(_typed([wire]))}"
    if inside := next((path for path, _ in _useful(objects) if ".".join(path) == name != path[-1]), None):
        return f"; did you mean {code(_typed(inside))}, without quotes?"
    spellings = {_letters(each): each for each in reversed(names)}
    close = difflib.get_close_matches(_letters(name), spellings, n=1, cutoff=0.75) if len(name) <= LONGEST_NAME else []
    if close and close[0]:
        return f"; did you mean {code(_typed([spellings[close[0]]]))}?"
    if inside := next((path for path, _ in _useful(objects) if path[-1] == name), None):
        return f"; did you mean {code(_typed(inside))}?"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"; it has {', '.join(code(_typed([each])) for each in names[:_MOST_LISTED])}{more}" if names else ""


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _names(message: Message) -> list[str]:
    """Return the names in JSON of the fields of an object, that of its tag first."""
    return [*([message.tag.wire_name] if message.tag else []), *(field.wire_name for field in message.fields)]


def _constant(message: Message) -> str:
    """Return the constant that tells an object from others, as it is typed."""
    if not message.tag:
        return code(message.class_name)
    value = f'"{message.tag.value}"' if isinstance(message.tag.value, str) else message.tag.value
    return code(f"{_typed([message.tag.wire_name])}: {value}")


# --- all fields -------------------------------------------------------------------------------


def _fault_of_key(kinds: Sequence[Message], paths: Sequence[tuple[str, ...]]) -> str | None:
    """Say why many different messages of a kind would have the same key; None if they differ."""
    for kind in kinds:
        weak = [_weakness(_ends([kind], path)) for path in paths]
        if all(weak):
            break
    else:
        return None
    better = _best(kinds)
    advice = f"add a field such as {_typed(better)}" if better else _NO_OTHER
    where = f" in messages with {_constant(kind)}" if len(kinds) > 1 else ""
    if len(paths) > 1:
        return f"all of these fields have few values or can be left out{where}, so messages would be lost; {advice}"
    shown, reason, ends = code(_typed(paths[0])), weak[0], _ends(kinds, paths[0])
    if isinstance(ends[0], Tag):  # it is that of every kind
        reason, where = _weakness(ends), ""
    if reason in (_NULL, _OPTIONAL):
        return f"{shown} {reason}{where}, and all messages without it would count as one; {advice}"
    return f"{shown} {reason}{where}, so nearly every message would count as a duplicate; {advice}"


def _ends(objects: Sequence[Message], path: Sequence[str]) -> list[_Found]:
    """Return what a path without faults leads to in some objects."""
    *before, last = path
    for name in before:
        fields = [found for each in objects if (found := _named(each, name))]
        objects = [option for option in _options(fields) if isinstance(option, Message)]
    return [found for each in objects if (found := _named(each, last))]


def _weakness(ends: Sequence[_Found]) -> str | None:
    """Say why a field does not tell messages apart; None if it does."""
    fields = [end for end in ends if isinstance(end, Field)]
    if any(isinstance(field.type, Nullable) for field in fields):
        return _NULL
    if any(field.default for field in fields):
        return _OPTIONAL
    counts = [len({end.value for end in ends if isinstance(end, Tag)})] if isinstance(ends[0], Tag) else []
    for end in ends:
        if isinstance(end, Field):
            each = [_count(option) for option in _options([end])]
            counts.append(FEW_VALUES + 1 if None in each else sum(filter(None, each)))
    count = min(counts)
    if count > FEW_VALUES:
        return None
    return f"has only {count} value{'s' if count > 1 else ''}"


def _count(type_: Type) -> int | None:
    """Return how many values a type has; None if their number has no limit."""
    match type_:
        case Scalar(name="bool"):
            return 2
        case Choice(values=values):
            return len(values)
        case Scalar(name="int", bounds=bounds):
            least = bounds.ge if bounds.ge is not None else bounds.gt
            greatest = bounds.le if bounds.le is not None else bounds.lt
            if least is not None and greatest is not None:
                return int(greatest - least + 1 - (bounds.ge is None) - (bounds.le is None))
    return None


def _best(objects: Sequence[Message]) -> tuple[str, ...] | None:
    """Return the names in JSON of the field that probably tells objects apart best; None if none does."""

    def rank(found: tuple[tuple[str, ...], list[Field]]) -> tuple[bool, bool]:
        _, fields = found
        types = {option.name for option in _options(fields) if isinstance(option, Scalar)}
        return not is_id(fields[0].name), not types <= {"str", "int", "UUID"}

    best = min(_useful(objects), key=rank, default=None)
    return best and best[0]


def _useful(objects: Sequence[Message], names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Field]]]:
    """Yield each field that could be the key alone, with its names in JSON; also fields of objects in the objects."""
    first, *others = ({field.wire_name: field for field in each.fields} for each in objects)
    for name, field in first.items():
        fields = [field, *(other[name] for other in others if name in other)]
        if len(fields) < len(objects) or len({each.name for each in fields}) > 1:
            continue
        options = _options(fields)
        inside = [option for option in options if isinstance(option, Message)]
        if inside and len(inside) == len(options) and not any(isinstance(each.type, Nullable) for each in fields):
            yield from _useful(inside, (*names, name))
        elif all(isinstance(option, Scalar | Choice) for option in options) and not _weakness(fields):
            yield (*names, name), fields
