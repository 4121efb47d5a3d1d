"""How busy the host is: counters that only grow, from which whoever reads them twice makes shares."""

from __future__ import annotations

_STAT = "/proc/stat"


def read_host_cpu() -> list[int]:
    """Return CPU time of all cores so far as user, system, waiting for I/O, and all there was; empty when unknown.

    In the system's own units. ``user`` includes niced processes, ``system`` interrupts; time that went to other guests
    of a hypervisor counts in the last only (see proc(5), ``/proc/stat``).
    """
    try:
        with open(_STAT, encoding="ascii") as stat:
            name, *fields = stat.readline().split()
        user, nice, system, idle, iowait, irq, softirq, *stolen = map(int, fields[:8])
    except (OSError, ValueError):
        return []
    if name != "cpu":
        return []
    whole = user + nice + system + idle + iowait + irq + softirq + sum(stolen)
    return [user + nice, system + irq + softirq, iowait, whole]
