"""Throughput of 64 KiB reads from the page cache, 8 lanes in one, two and eight processes: ours against fio.

python benchmarks/file_read.py [--rounds 5] [--seconds 3] [--lanes 8] [--folder DIR]
"""

from __future__ import annotations

from reads import Work, compare

if __name__ == "__main__":
    compare(Work("file", count=1000, size=64 << 10, lanes=8), processes=(1, 2, 8))
