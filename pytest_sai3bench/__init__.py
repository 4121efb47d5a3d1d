"""pytest-sai3bench: storage benchmarks as pytest items."""

from __future__ import annotations

__version__ = "0.1.0"
