"""Throughput of 1 MiB reads past the page cache, 8 in flight: ours against fio.

python benchmarks/direct_read.py [--rounds 5] [--seconds 3] [--lanes 8] [--folder DIR]
"""

from __future__ import annotations

from reads import Work, compare

if __name__ == "__main__":
    compare(Work("direct", count=512, size=1 << 20, lanes=8), processes=(1,))
