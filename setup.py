"""The one step that pyproject.toml cannot say: a wheel carries the manifest of the shipped data.

With it a package installed without its repository knows which files there are, and fetches them when they are asked
for (`gapkit._paths`). An editable install, in a clone, has the data beside it and gets no copy.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithManifest(build_py):
    """Builds the package, then puts ``data/manifest.json`` into it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "gapkit"
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile("data/manifest.json", target / "manifest.json")


setup(cmdclass={"build_py": BuildWithManifest})
