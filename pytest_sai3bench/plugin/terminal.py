"""How the plugin's texts fit the user's terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_WIDTH_WITHOUT_TERMINAL = 80


def shown(path: Path, config: pytest.Config) -> Path:
    """Return a path as users know it: relative to where they are, if it lies below."""
    directory = config.invocation_params.dir
    return path.relative_to(directory) if path.is_relative_to(directory) else path


def width_of(config: pytest.Config) -> int:
    """Return the width of the terminal in characters."""
    if not config.pluginmanager.hasplugin("terminalreporter"):
        return _WIDTH_WITHOUT_TERMINAL
    return config.get_terminal_writer().fullwidth
