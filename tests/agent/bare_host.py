"""Run as a program: a host that has Python and nothing else, and the controller of the agent on it.

Arguments are the agent's zip and the package in it; standard input is a plan (JSON). Imports every module of the agent,
leads it through all stages of the plan, and prints what it saw as JSON.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import time
from typing import Any


def main(archive: str, package: str) -> None:
    sys.path[:] = [archive, *(path for path in sys.path if "site-packages" not in path)]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
    plan = json.load(sys.stdin)
    heard: list[dict[str, Any]] = []

    def answer(text: str) -> None:
        message = json.loads(text)
        heard.append(message)
        kind = message["type"]
        if kind == "hello":
            say("plan", plan=plan, credentials=None)
        elif kind == "preflight":
            say("stage", stage=0)
        elif kind == "ready":
            say("start", at_ns=time.monotonic_ns())
        elif kind == "rested" and message["stage"] + 1 < len(plan["stages"]):
            say("stage", stage=message["stage"] + 1)
        elif kind in {"rested", "failed"}:
            say("bye")

    def say(kind: str, **fields: Any) -> None:
        link.feed(json.dumps({"type": kind, **fields}))

    link = sys.modules[f"{package}.link"].Link(answer)
    say("hello")
    sys.modules[f"{package}.serve"].serve(link)
    seen = {
        "python": "{}.{}".format(*sys.version_info),
        "messages": [message for message in heard if message["type"] not in {"alive", "settled"}],
        "foreign": sorted(name for name in sys.modules if name.startswith(("pytest", "boto", "execnet"))),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
