"""Moved to udeansr/planning/domain.py; import it from there."""

from udeansr.planning.domain import Domain

__all__ = ["Domain"]
