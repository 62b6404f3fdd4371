"""The table of docs/architecture.md, section "The tree": which folder may include which.

Its rows are the folders, in backquotes; its last column names what a folder may use: other folders,
without their first part where that is the row's own, `lib` for all of lib but lib/dpdk, `all of
control`. Who may use a folder may use what that one may.
"""

import re

DOCUMENT = "docs/architecture.md"
TOPS = ("lib", "dataplane", "control")
# The composition root joins the two sides and sees this header of the dataplane alone.
COMPOSITION_ROOT = "control/daemon/main.cc"
DATAPLANE_DOOR = "dataplane/runtime.h"


def folder_of(path):
    """The folder of the table that a file is in: "lib/base", "dataplane"."""
    parts = path.split("/")
    return parts[0] if parts[0] == "dataplane" else "/".join(parts[:2])


def _rows(tree):
    """(folders of the row, the last column's text)."""
    for line in tree.text(DOCUMENT).split("\n"):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        folders = re.findall(r"`([\w/]+)`", cells[0])
        if line.startswith("| `") and len(cells) == 3 and all(
                folder.split("/")[0] in TOPS for folder in folders):
            yield folders, cells[2]


def _named(word, top, known):
    """The folders that a word of the last column stands for."""
    if word == "lib":
        return [each for each in known if each.startswith("lib/") and each != "lib/dpdk"]
    if word == "all of control":
        return [each for each in known if each.startswith("control/")]
    return [word if "/" in word else f"{top}/{word}"]


def read(tree):
    """({folder: what its row allows}, faults of the table)."""
    rows = list(_rows(tree))
    known = [folder for folders, _ in rows for folder in folders]
    allowed, faults = {}, []
    for folders, cell in rows:
        for folder in folders:
            words = [word.strip(" `") for word in cell.split(",") if word.strip()]
            allowed[folder] = {each for word in words
                               for each in _named(word, folder.split("/")[0], known)}
            for each in sorted(allowed[folder] - set(known)):
                faults.append(f"{DOCUMENT}: {folder} may use {each}, which has no row")
    if not rows:
        faults.append(f"{DOCUMENT}: no table of folders found")
    return allowed, faults


def closure(allowed, folder):
    """All that a folder may include: itself, and what those may that it may use."""
    found, ahead = {folder}, [folder]
    while ahead:
        for each in allowed.get(ahead.pop(), ()):
            if each not in found:
                found.add(each)
                ahead.append(each)
    return found


def may_use(tree):
    """Each folder includes what its row allows, and each folder has a row."""
    allowed, faults = read(tree)
    yield from faults
    files = tree.under(*TOPS)
    there = {folder_of(path) for path in files
             if path.count("/") > 1 or path.startswith("dataplane/")}
    for folder in sorted(there - set(allowed)):
        if folder != "control/pch":
            yield f"{DOCUMENT}: no row for {folder}"
    for folder in sorted(set(allowed) - there):
        yield f"{DOCUMENT}: a row for {folder}, which is not there"
    reach = {folder: closure(allowed, folder) for folder in allowed}
    for path in files:
        folder = folder_of(path)
        for quoted, name in tree.includes(path):
            if not quoted:
                continue
            if name == DATAPLANE_DOOR and path == COMPOSITION_ROOT:
                continue
            if not tree.exists(name):
                yield f"{path}: includes {name}, which is not a path from the root"
            elif folder_of(name) not in reach.get(folder, ()):
                yield f"{path}: includes {name}; {folder} may use {_listed(reach, folder)}"


def _listed(reach, folder):
    others = sorted(reach.get(folder, set()) - {folder})
    return ", ".join(others) if others else "nothing else"
