"""Writes a BPF object file as a C++ source. Called by the build: embed.py OUTPUT OBJECT."""

import sys

HEAD = """// Made by control/shortcut/embed.py.
#include "control/shortcut/object_file.h"

namespace podlane::control {

namespace {

// As the ELF reader needs it.
alignas(8) constexpr uint8_t kObject[] = {
"""
TAIL = """};

}  // namespace

std::span<const uint8_t> shortcut_object() noexcept {
    return kObject;
}

}  // namespace podlane::control
"""
LINE = 20


def main(output, path):
    with open(path, "rb") as file:
        data = file.read()
    lines = [",".join(map(str, data[at:at + LINE])) + ",\n" for at in range(0, len(data), LINE)]
    with open(output, "w", encoding="ascii") as file:
        file.write(HEAD + "".join(lines) + TAIL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
