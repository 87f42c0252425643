"""Methods of other packages, which they offer by an entry point: ``[project.entry-points."udeansr.methods"]``."""

from __future__ import annotations

from functools import cache
from importlib import metadata

from udeansr.errors import UdeansrError
from udeansr.methods.method import Method

GROUP = "udeansr.methods"


@cache
def entry_points() -> dict[str, metadata.EntryPoint]:
    """What installed packages offer, by the name of the method; nothing is imported."""
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


@cache
def load_method(point: metadata.EntryPoint) -> type[Method]:
    """Import the method that an entry point means.

    Raises:
        UdeansrError: if it cannot be imported, or is no method of that name.
    """
    package = point.dist.name if point.dist is not None else "another package"
    try:
        kind = point.load()
    except Exception as error:  # whatever their code does
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UdeansrError(
            f"the method '{point.name}' of {package} cannot be imported ({reason}); mend or uninstall {package}"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Method)) or getattr(kind, "name", "") != point.name:
        raise UdeansrError(
            f"{package} offers {point.value} as the method '{point.name}'; expected a subclass of "
            f"udeansr.methods.Method whose name is '{point.name}'"
        )
    return kind
