"""Print the exact versions installed in this environment, one `name==version` a line, for locks/dev.txt.

It is a constraints file: it pins what pip chooses and adds nothing, so it serves every Python version.
"""

from __future__ import annotations

import sys
from importlib.metadata import distributions

# pip and setuptools belong to the environment, not to the project.
LEFT_OUT = {"pip", "setuptools", "wheel", "cloudlet"}


def main() -> int:
    found = {item.metadata["Name"].lower().replace("_", "-"): item.version for item in distributions()}
    for name in sorted(set(found) - LEFT_OUT):
        print(f"{name}=={found[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
