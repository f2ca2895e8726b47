"""The recipes of `examples/` are no part of the package; they are imported from the repository's root."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
