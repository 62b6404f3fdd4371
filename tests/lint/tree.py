"""The files of the checkout, as the lint rules see them."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS = (".h", ".cc", ".py", ".sh", ".md", ".yaml", ".yml", ".build", ".php", ".txt")
_NAMES = ("Makefile", "run", "meson_options.txt", ".clang-format", ".gitignore")
_INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def _walk():
    for folder, folders, names in os.walk(ROOT):
        top = folder == ROOT
        folders[:] = sorted(
            name for name in folders
            if name not in (".git", ".cache", "__pycache__", "corpus", "bad")
            and not (top and name.startswith("build"))
        )
        for name in sorted(names):
            if name.endswith(_OURS) or name in _NAMES:
                yield os.path.relpath(os.path.join(folder, name), ROOT)


class Tree:
    """Paths relative to the root, and texts."""

    def __init__(self):
        self.files = list(_walk())
        self._texts = {}

    def text(self, path):
        if path not in self._texts:
            with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
                self._texts[path] = file.read()
        return self._texts[path]

    def under(self, *folders, endings=(".h", ".cc")):
        """Files below these folders."""
        starts = tuple(folder + "/" for folder in folders)
        return [path for path in self.files
                if path.startswith(starts) and path.endswith(tuple(endings))]

    def includes(self, path):
        """(is a quoted one, target) of each include line."""
        return [(mark == '"', name) for mark, name in _INCLUDE.findall(self.text(path))]

    def exists(self, path):
        return os.path.exists(os.path.join(ROOT, path))
