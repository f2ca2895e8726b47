"""Libraries that come as extras: imported when rows need them, and told by name where they are not there."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from afters.errors import DataError


def extra(library: str, *, of: str, needed: str, where: str) -> ModuleType:
    """Return a library of the extra `of`; `needed` says who needs it, as "a query needs DuckDB".

    Raises:
        DataError: it is not there.
    """
    try:
        return import_module(library)
    except ImportError:
        hint = f"pip install 'afters[{of}]', or name a file."
        raise DataError(needed, where=where, hint=hint) from None
