"""Writes files.cc: the page's files as a table. Called by the build: embed.py OUTPUT FILE..."""

import hashlib
import os
import sys

TYPES = {
    ".LICENSE": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
LINE = 64

HEAD = """// Made by control/page/embed.py.
#include "control/page/files.h"

#include <array>

namespace podlane::control {

namespace {

"""
TAIL = """
}  // namespace

std::span<const PageFile> page_files() noexcept {
    return kFiles;
}

}  // namespace podlane::control
"""


def escaped(byte):
    is_plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
    return chr(byte) if is_plain else f"\\{byte:03o}"


def quoted(data):
    """Bytes as one C++ string literal over many lines."""
    lines = []
    for start in range(0, len(data), LINE):
        text = "".join(map(escaped, data[start:start + LINE]))
        lines.append(f'    "{text}"')
    return "\n".join(lines) or '    ""'


def url_of(name):
    return "/" if name == "index.html" else f"/page/{name}"


def main(output, paths):
    files = sorted((url_of(os.path.basename(path)), path) for path in paths)
    texts, rows = [], []
    for number, (url, path) in enumerate(files):
        with open(path, "rb") as file:
            data = file.read()
        tag = hashlib.sha256(data).hexdigest()[:20]
        kind = TYPES[os.path.splitext(path)[1]]
        texts.append(f"constexpr char kText{number}[] =\n{quoted(data)};\n")
        rows.append(f'    {{"{url}", "{kind}", "\\"{tag}\\"", {{kText{number}, {len(data)}}}}},\n')
    with open(output, "w", encoding="ascii") as file:
        file.write(HEAD + "".join(texts))
        file.write(f"constexpr std::array<PageFile, {len(rows)}> kFiles{{{{\n")
        file.write("".join(rows) + "}};\n" + TAIL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
