"""The load agent: runs one plan on one host.

Standard library only, Python 3.9 or newer, relative imports only: the folder is sent to hosts as a zip under another
package name, where nothing else of the project exists.
"""

from __future__ import annotations

# Raised whenever a message or the plan changes shape; both sides compare it in the handshake.
PROTOCOL = 1
