"""The only code that imports pytest. Loading `hooks` costs the standard library and nothing else of the package."""

from __future__ import annotations
