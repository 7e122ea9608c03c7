"""How `handle` wants to be called.

`inspect` takes as long to import as msgspec, so a plain function is recognised without it.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

# Set in the flags of the code of an `async def`, as inspect.CO_COROUTINE.
COROUTINE = 0x80


def is_async(handle: Callable[..., Any]) -> bool:
    """Tell whether `handle` is an `async def`."""
    if _is_plain(handle):
        return False
    import inspect

    return inspect.iscoroutinefunction(handle)


def takes_delivery(handle: Callable[..., Any]) -> bool:
    """Tell whether `handle` has a second parameter that must be given, or is called delivery."""
    if _is_plain(handle):
        return False
    import inspect

    try:
        _, *others = inspect.signature(handle).parameters.values()
    except ValueError:  # it has no signature, or no parameter
        return False
    if not others or others[0].kind not in (
        others[0].POSITIONAL_ONLY,
        others[0].POSITIONAL_OR_KEYWORD,
    ):
        return False
    return others[0].name == "delivery" or others[0].default is inspect.Parameter.empty


def _is_plain(handle: Callable[..., Any]) -> bool:
    """Tell whether `handle` is a `def` with one parameter.

    A decorator can leave attributes that say otherwise, such as `__wrapped__`.
    """
    if not isinstance(handle, FunctionType) or vars(handle):
        return False
    return handle.__code__.co_argcount == 1 and not handle.__code__.co_flags & COROUTINE
