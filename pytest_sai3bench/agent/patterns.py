"""Path patterns of operations: which folder to list, how deep, and which names match (sai3-bench's rules)."""

from __future__ import annotations

import re
from typing import NamedTuple


class Pattern(NamedTuple):
    """How to find the objects of a path that is relative to an endpoint.

    ``folder`` is listed (all levels when ``recursive``); a name matches when ``regex`` matches all of it, or always
    without one. ``exact`` is set instead when the path names one object.
    """

    folder: str
    recursive: bool
    regex: re.Pattern[str] | None
    exact: str = ""

    def matches(self, name: str) -> bool:
        """Tell whether an object of this name would be found."""
        if self.exact or not name.startswith(self.folder):
            return name == self.exact
        if "/" in name[len(self.folder) :] and not self.recursive:
            return False
        return self.regex is None or self.regex.fullmatch(name) is not None


def parse_pattern(path: str) -> Pattern:
    """Return the pattern of ``path``.

    Three forms: no ``*`` and no slash at the end is one object; a slash at the end (or an empty path) is the content of
    that folder, without its subfolders; ``*`` stands for any text, slashes included, and subfolders are searched when
    it stands in a folder's name.
    """
    star = path.find("*")
    if star < 0:
        if path and not path.endswith("/"):
            return Pattern("", False, None, exact=path)
        return Pattern(path, False, None)
    cut = path.rfind("/", 0, star) + 1
    recursive = "/" in path[star:]
    regex = re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", path)), re.DOTALL)
    return Pattern(path[:cut], recursive, regex)
