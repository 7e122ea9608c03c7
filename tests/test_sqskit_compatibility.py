"""`sqskit contract --check-against` refuses a change of the message that would fail producers that send today."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sqskit.compatibility import check
from sqskit.compatibility.comparison import breaks
from sqskit.errors import UserError

from local_extensions.fields import FieldFaults
from local_extensions.output.json_schema import json_schema
from tests.support.field_lines import lines
from tests.support.messages import class_of, parsed
from tests.support.projects import run

# --- a table of changes --------------------------------------------------------------------------

NEW_FIELD = "a new required field; give it a default, such as None"
NOW_REQUIRED = "it could be left out and is now required; give it a default"
FAIL = "today would fail"
CLOSED = '{"type": "object", "properties": {"a": {"type": "string"}%s}%s}'
KINDS = '{type: "placed", total: int} | {type: "cancelled", reason: str}'

CHANGES: list[tuple[str, str, list[str]]] = [
    # fields
    ("a: str", "a: str, b: str | None = None", []),
    ("a: str, b: str | None = None", "a: str", []),
    ("a: str", "a: str, customerId: str", [f"$.customerId: {NEW_FIELD}"]),
    ("a: str | None = None", "a: str | None", [f"$.a: {NOW_REQUIRED}"]),
    ("a: str", 'a: str = "x"', []),
    ('a: str = "x"', 'a: str = "y"', []),
    ("customerId: str", "clientId: str", [f"$.clientId: {NEW_FIELD}"]),
    ("customerId: str", "a: str | None = None", []),
    ("items: list[{sku: str}]", "items: list[{sku: str, n: int}]", [f"$.items[].n: {NEW_FIELD}"]),
    ("a: {x: int}, b: A", "a: {x: int >= 0}, b: A",
     [f"$.a.x: the lowest value is now 0; producers that send less {FAIL}"]),
    # unknown keys
    (CLOSED % (', "b": {"type": "string"}', ', "additionalProperties": false'),
     CLOSED % ("", ', "additionalProperties": false'), ["$.b: it is gone, and unknown keys are refused"]),
    (CLOSED % ("", ""), CLOSED % ("", ', "additionalProperties": false'),
     [f"$: unknown keys are now refused; producers that send some {FAIL}"]),
    (CLOSED % ("", ', "additionalProperties": false'), CLOSED % ("", ""), []),
    # types
    ("a: int", "a: float", []),
    ("a: float", "a: int", ["$.a: it was float and is now int"]),
    ("a: int", "a: str", ["$.a: it was int and is now str"]),
    ("a: str", "a: str | None", []),
    ("note: str | None", "note: str", ["$.note: it was str | None and is now str"]),
    ("a: int", "a: int | str", []),
    ("a: int | str", "a: int", ["$.a: it was int | str and is now int"]),
    ("a: int >= 1 | None", "a: int >= 2",
     [f"$.a: the lowest value rises from 1 to 2; producers that send 1 {FAIL}",
      "$.a: it was int >= 1 | None and is now int >= 2"]),
    ("a: str[1:9] | list[int][2]", "a: bool", ["$.a: it was str[1:9] | list[int][2] and is now bool"]),
    ("a: str", "a: UUID", ["$.a: it was str and is now UUID"]),
    ("a: UUID", "a: str", []),
    ("a: datetime", "a: date", ["$.a: it was datetime and is now date"]),
    ("a: bytes", "a: str", []),
    ("a: str", "a: bytes", ["$.a: it was str and is now bytes"]),
    ("a: UUID", "a: str[:64]", ["$.a: cannot compare UUID with str[:64]; look at it yourself"]),
    ("a: str", "a: any", []),
    ("a: any", "a: str", ["$.a: it was any and is now str"]),
    ("a: float", "a: float | int >= 1", [f"$.a: the lowest value is now 1; producers that send less {FAIL}"]),
    # limits
    ("items: list[{quantity: int >= 1}]", "items: list[{quantity: int >= 2}]",
     [f"$.items[].quantity: the lowest value rises from 1 to 2; producers that send 1 {FAIL}"]),
    ("a: int >= 1", "a: int > 0", []),
    ("a: int >= 1", "a: int", []),
    ("a: float <= 5", "a: float < 5",
     [f"$.a: the highest value falls from 5.0 to below 5.0; producers that send 5.0 {FAIL}"]),
    ("a: float < 5", "a: float <= 4",
     [f"$.a: the highest value falls from below 5.0 to 4.0; producers that send more {FAIL}"]),
    ("a: int", "a: int <= 5", [f"$.a: the highest value is now 5; producers that send more {FAIL}"]),
    ("a: str[1:64]", "a: str[2:32]",
     [f"$.a: the minimum number of characters rises from 1 to 2; producers that send 1 character {FAIL}",
      f"$.a: the maximum number of characters falls from 64 to 32; producers that send 64 characters {FAIL}"]),
    ("a: str[2:32]", "a: str[1:64]", []),
    ("a: list[int]", "a: list[int][:10]",
     [f"$.a: the maximum number of items is now 10; producers that send more {FAIL}"]),
    ("a: dict[str, int]", "a: dict[str, int >= 0][:3]",
     [f"$.a: the maximum number of keys is now 3; producers that send more {FAIL}",
      f"$.a.*: the lowest value is now 0; producers that send less {FAIL}"]),
    ("a: Decimal > 0", "a: Decimal > 5", []),  # the schema does not have them
    # fixed values
    ('status: "new"', 'status: "new" | "paid"', []),
    ('status: "new" | "paid"', 'status: "new"', ['$.status: "paid" is no longer accepted']),
    ('status: "new" | "paid" | "sent"', 'status: "sent"', ['$.status: "new", "paid" are no longer accepted']),
    ('a: "new" | "paid"', "a: str", []),
    ('a: "new" | "paid"', "a: str[4:]", ['$.a: "new" is no longer accepted']),
    ("a: 1 | 2", "a: float >= 2", ["$.a: 1 is no longer accepted"]),
    ("a: str", 'a: "new" | "paid"', ['$.a: it was str and is now "new" | "paid"']),
    ("a: 1 <= int <= 2", "a: 1 | 2",
     ["$.a: cannot compare 1 <= int <= 2 with 1 | 2; look at it yourself"]),
    # objects
    ("a: {x: int}", "a: dict", []),
    ("a: dict", "a: {x: int}", ["$.a: it was dict and is now A"]),
    ("a: dict", "a: dict[str, int]", ["$.a.*: it was any and is now int"]),
    ("a: list", "a: list[int]", ["$.a[]: it was any and is now int"]),
    ("a: {x: int}", "a: dict[str, int]", ["$.a: it was A and is now dict[str, int]"]),
    ("a: dict[str, int]", "a: {x: int | None = None}", []),
    # kinds
    (KINDS, KINDS + ' | {type: "sent"}', []),
    (KINDS + ' | {type: "sent"}', KINDS, ['$.type: "sent" is no longer accepted']),
    (KINDS, KINDS.replace("total: int", "total: int >= 1"),
     [f"$.total: the lowest value is now 1; producers that send less {FAIL}"]),
    (KINDS, KINDS.replace("type", "kind"), ["$.kind: a new required field"]),
    ("total: int", KINDS, ["$.type: a new required field"]),
    ("type: str, total: int", KINDS,
     ["$: cannot compare Order with Placed | Cancelled; look at it yourself"]),
    (f"a: {KINDS}", f"a: {KINDS} | None", []),
    (f"a: {KINDS} | None", f"a: {KINDS}", ["$.a: it was Placed | Cancelled | None and is now Placed | Cancelled"]),
]  # fmt: skip


def schema_of(line: str) -> dict[str, Any]:
    return json_schema(parsed(line))


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES)
def test_change_of_the_fields_is_judged(old: str, new: str, expected: list[str]) -> None:
    assert breaks(schema_of(old), schema_of(new)) == expected
    assert breaks(schema_of(new), schema_of(new)) == []


# --- what only a class has ---------------------------------------------------------------------


class Tree(msgspec.Struct):
    """A class that contains itself."""

    value: int
    children: list["Tree"] = []


class Plant(msgspec.Struct):
    """The same with other names, and wider."""

    value: float
    children: list["Plant"] | None = None


class Pair(msgspec.Struct, array_like=True):
    """An object that is an array in JSON."""

    a: int
    b: str


class Triple(msgspec.Struct, array_like=True):
    """The same with one more field."""

    a: int
    b: str
    c: int = 0


def text(pattern: str) -> Any:
    return Annotated[str, msgspec.Meta(pattern=pattern)]


def multiple(of: int) -> Any:
    return Annotated[int, msgspec.Meta(multiple_of=of)]


def custom(**keywords: Any) -> Any:
    return Annotated[str, msgspec.Meta(extra_json_schema=keywords)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (Tree, Plant, []),
        (Plant, Tree, ["$.value: it was float and is now int",
                       "$.children: it was list[Plant] | None and is now list[Tree]"]),
        (list[int], set[int], ["$: the same item twice is no longer accepted"]),
        (set[int], list[int], []),
        (str, text("^a"), ["$: it must now match the pattern ^a"]),
        (text("^a"), text("^b"), ["$: cannot compare its `pattern` ^a with ^b; look at it yourself"]),
        (text("^a"), str, []),
        (Literal["a", "b"], text("^a"), ['$: cannot compare "a" | "b" with str; look at it yourself']),
        (int, multiple(3), ["$: it must now be a multiple of 3"]),
        (tuple[int, str], tuple[int, int], ["$[1]: it was str and is now int"]),
        (tuple[int, str], tuple[int], [
            f"$: the maximum number of items falls from 2 to 1; producers that send 2 items {FAIL}"]),
        (tuple[int, str], list[int | str], []),
        (list[int], tuple[int, int], [
            f"$: the minimum number of items rises from 0 to 2; producers that send 0 items {FAIL}",
            f"$: the maximum number of items is now 2; producers that send more {FAIL}"]),
        (Pair, Triple, []),
        (Triple, Pair, []),
        (str, custom(format="email"), ['$: it was str and is now str in the format "email"']),
        (custom(format="email", title="an address"), custom(format="email"), []),
        (str, custom(contentMediaType="a/b"), ["$: cannot compare its `contentMediaType`; look at it yourself"]),
        (custom(contentMediaType="a/b"), custom(contentMediaType="a/b"), []),
        (Literal["a", None], Literal["a"], ['$: it was null | "a" and is now "a"']),
        (Literal["a", None], str | None, []),
    ],
)  # fmt: skip
def test_change_of_a_class_is_judged(old: Any, new: Any, expected: list[str]) -> None:
    before, after = msgspec.json.schema(old), msgspec.json.schema(new)
    assert breaks(before, after) == expected
    assert breaks(before, before) == breaks(after, after) == []


def test_unknown_schema_is_not_guessed_at() -> None:
    one, two = ({"oneOf": [{"type": "string"}, {"type": kind}]} for kind in ("integer", "null"))
    assert breaks(one, two) == ["$: cannot compare a custom schema with a custom schema; look at it yourself"]
    assert breaks(one, {"$ref": "#/$defs/Missing"})
    assert breaks(one, one) == breaks(one, {}) == []


# --- compared with what the class accepts --------------------------------------------------------

TYPES = [
    *("str", "str[1:]", "str[:2]", "str[2:3]", '"a" | "b"', '"a"', "UUID", "date", "datetime", "Decimal"),
    *("bytes", "bytes[:2]", "int", "int >= 1", "int > 1", "0 <= int <= 5", "1 | 2", "float", "float > 1", "float <= 5"),
    *("bool", "any", "list", "list[int]", "list[int >= 1][1:2]", "list[str | None]", "dict", "dict[str, int]"),
    *("dict[str, int][:1]", "{x: int}", "{x: int | None = None}", "{x: int, y: int}", "int | str", "float | int >= 1"),
    *('{k: "a", x: int} | {k: "b"}', '{k: "a"} | {k: "b", x: int} | {k: "c"}', "str | list[str]", "int | bool"),
]
NULLABLE = [type_ for each in TYPES for type_ in (each, f"{each} | None") if type_ != "any | None"]

VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 2, 3, 5, 6, 0.5, 1.5, 5.5, "", "a", "b", "ab", "abc", "abcd", "2026-01-01", "1.5"),
    *("2026-01-01T00:00:00Z", "c5a1e3a2-6a2e-4d6c-8a40-7d5b6d9c1f00", "YQ==", "AAAA", "AAAAAAAA"),
    *([], [0], [1], [1, 2, 3], ["a"], [None], [True], [[]], {}, {"x": 1}, {"x": None}, {"x": "a"}, {"x": 1, "y": 2}),
    *({"x": 1, "z": 1}, {"y": "a"}, {"k": "a"}, {"k": "a", "x": 1}, {"k": "b"}, {"k": "b", "x": 1}, {"k": "c"}),
    {"x": 1, "y": 2, "z": "a"},
]  # fmt: skip


@cache
def accepted(type_: str) -> frozenset[int]:
    """Return which of the values a field of this type accepts, in the class and in a validator."""
    message = parsed(f"a: {type_}")
    decoder = msgspec.json.Decoder(class_of(message))
    validator = Draft202012Validator(json_schema(message))

    def accepts(value: Any) -> bool:
        try:
            decoder.decode(json.dumps({"a": value}))
        except msgspec.ValidationError:
            return False
        return bool(validator.is_valid({"a": value}))

    return frozenset(n for n, value in enumerate(VALUES) if accepts(value))


def test_any_two_types_are_judged_as_the_classes_do() -> None:
    schemas = {type_: schema_of(f"a: {type_}") for type_ in NULLABLE}
    for old, before in schemas.items():
        for new, after in schemas.items():
            found = breaks(before, after)
            refused = accepted(old) - accepted(new)
            if any("cannot compare" in line for line in found):
                continue
            assert bool(found) == bool(refused), (old, new, found, [VALUES[n] for n in refused])


@cache
def wider() -> list[tuple[str, str]]:
    """Return each type with those that accept all of its values, by the check."""
    schemas = {type_: schema_of(f"a: {type_}") for type_ in NULLABLE}
    return [(old, new) for old in NULLABLE for new in NULLABLE if not breaks(schemas[old], schemas[new])]


def line_of(fields: dict[str, str], defaults: set[str]) -> str:
    return ", ".join(f"{name}: {type_}{' = None' * (name in defaults)}" for name, type_ in fields.items())


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_body_stays_valid_if_the_change_is_compatible(data: st.DataObject) -> None:
    draw = data.draw
    pairs = draw(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(wider()), min_size=1))
    fields, fields_now = ({name: pair[side] for name, pair in pairs.items()} for side in (0, 1))
    can_default, can_default_now = (
        {name for name, type_ in each.items() if type_ == "any" or type_.endswith("None")}
        for each in (fields, fields_now)
    )
    defaults = {name for name in sorted(can_default) if draw(st.booleans())}
    defaults_now = {name for name in sorted(can_default_now) if draw(st.integers(0, 3))}
    gone = draw(st.sets(st.sampled_from(sorted(fields))))
    kept = {name: type_ for name, type_ in fields_now.items() if name not in gone} or {"e": "any"}
    try:
        before = parsed(line_of(fields, defaults))
        after = parsed(line_of(kept, defaults_now | {"e"}))
    except FieldFaults:
        assume(False)
    body = {
        name: VALUES[draw(st.sampled_from(sorted(accepted(type_))))]
        for name, type_ in fields.items()
        if name not in defaults or draw(st.booleans())
    }
    Draft202012Validator(json_schema(before)).validate(body)
    found = breaks(json_schema(before), json_schema(after))
    required_now = defaults & kept.keys() - defaults_now
    assert found == [f"$.{name}: {NOW_REQUIRED}" for name in kept if name in required_now]
    if not found:
        Draft202012Validator(json_schema(after)).validate(body)
        msgspec.json.decode(json.dumps(body), type=class_of(after))


@given(lines())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_schema_is_compatible_with_itself(line: str) -> None:
    try:
        schema = schema_of(line)
    except FieldFaults:
        assume(False)
    assert breaks(schema, schema) == []


def test_renamed_and_moved_definitions_do_not_matter() -> None:
    schema = schema_of("a: list[{x: {y: int}}], b: {y: int} | None = None")
    renamed = json.loads(json.dumps(schema).replace('"X"', '"Other"').replace("$defs/X", "$defs/Other"))
    renamed["$defs"] = dict(reversed(renamed["$defs"].items()))
    assert renamed["$defs"].keys() != schema["$defs"].keys()
    assert breaks(schema, renamed) == []


# --- in a git repository -------------------------------------------------------------------------

NAME = "contract/new_message.schema.json"
OLD, NEW = schema_of("a: str"), schema_of("a: str, b: int")
REFUSED = (
    "producers that follow the contract at {} would fail; make the change optional, "
    "or send the new message to a queue of its own"
)

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Return a way to run git as somebody, without the settings of this machine."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, str(tmp_path / "no-config"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))

    def git(*arguments: str, cwd: Path = tmp_path / "repository") -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        return subprocess.run(("git", *who, *arguments), cwd=cwd, check=True, capture_output=True, text=True).stdout

    return git


@pytest.fixture(params=["", "services/orders"], ids=["at the top", "in a subfolder"])
def project(request: pytest.FixtureRequest, tmp_path: Path, git: Git) -> Path:
    """Return a folder with a template and a contract, which the main branch has."""
    root: Path = tmp_path / "repository" / request.param
    write(root, OLD)
    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    return root


def write(root: Path, schema: Any, name: str = NAME) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / "template.yaml").write_text("Resources: {}\n", "utf-8")
    (root / name).write_text(schema if isinstance(schema, str) else json.dumps(schema), "utf-8")


def printed(project: Path, capsys: pytest.CaptureFixture[str], revision: str = "main") -> list[str]:
    """Check a project against a revision, and return the lines, an error as the last one."""
    error = []
    try:
        check(project / "template.yaml", revision)
    except UserError as raised:
        error = [f"error: {raised}"]
    return capsys.readouterr().out.splitlines() + error


def test_unchanged_and_new_schemas_pass(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, NEW, "contract/audit.schema.json")
    assert printed(project, capsys) == [
        "contract/audit.schema.json is new",
        f"{NAME} accepts every body that it accepted at main",
    ]


def test_command_refuses_a_change(project: Path) -> None:
    write(project, NEW)
    done = run(sys.executable, "-m", "sqskit", "contract", "--check-against", "main", cwd=project)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [f"{NAME}: $.b: {NEW_FIELD}", f"error: {REFUSED.format('main')}"]


def test_removed_schema_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / NAME).unlink()
    assert printed(project, capsys) == [
        f"{NAME}: it is gone; producers that send this message today would fail",
        f"error: {REFUSED.format('main')}",
    ]


def test_any_revision_can_be_named(project: Path, git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, NEW)
    git("commit", "--quiet", "--all", "--message=second")
    git("tag", "v2")
    passes = f"{NAME} accepts every body that it accepted at"
    assert printed(project, capsys, "v2") == [f"{passes} v2"]
    assert printed(project, capsys, "HEAD^")[-1] == f"error: {REFUSED.format('HEAD^')}"


@pytest.mark.parametrize("revision", ["nowhere", "", "--output=file"])
def test_unknown_revision_is_one_line(project: Path, capsys: pytest.CaptureFixture[str], revision: str) -> None:
    hint = "name a branch, a tag or a commit"
    assert printed(project, capsys, revision) == [f"error: git knows no revision {revision!r} here; {hint}"]


def test_branch_of_the_remote_is_proposed(project: Path, git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    git("update-ref", "refs/remotes/origin/base", "main")
    assert printed(project, capsys, "base") == ["error: git knows no revision 'base' here; did you mean origin/base?"]


def test_shallow_clone_is_one_line(project: Path, git: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git("commit", "--quiet", "--allow-empty", "--message=second")
    top = tmp_path / "repository"
    git("clone", "--quiet", "--depth=1", top.as_uri(), str(tmp_path / "clone"), cwd=tmp_path)
    hint = "this clone is shallow; fetch more of it with `git fetch --unshallow`"
    assert printed(tmp_path / "clone" / project.relative_to(top), capsys, "HEAD^") == [
        f"error: git knows no revision 'HEAD^' here; {hint}"
    ]


def test_schema_that_is_none_is_one_line(project: Path, git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, "{")
    (line,) = printed(project, capsys)
    assert line.startswith(f"error: {NAME} is not JSON: ")
    write(project, "[]")
    assert printed(project, capsys) == [f"error: {NAME} is not a JSON Schema; write it again with `make contract`"]
    write(project, '{"anyOf": 1}')
    assert printed(project, capsys)[0].startswith(f"{NAME}: cannot compare schemas that msgspec does not write: ")
    write(project, "{")
    git("commit", "--quiet", "--all", "--message=broken")
    write(project, OLD)
    (line,) = printed(project, capsys)
    assert line.startswith(f"error: {NAME} at main is not JSON: ")


def test_folder_without_git_is_one_line(tmp_path: Path, git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "plain"
    write(root, OLD)
    assert printed(root, capsys) == [f"error: {root} is not in a git repository, so there is no earlier contract"]


def test_missing_git_is_one_line(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert printed(project, capsys) == ["error: cannot run git; install it first"]


def test_missing_template_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "template.yaml"
    assert printed(tmp_path, capsys) == [f"error: cannot read {path}; name a SAM template with --template"]
