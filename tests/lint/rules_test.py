"""The lint's own rules on trees made for them: what each must find, and what it must leave be."""

import sys

from architecture import DOCUMENT, may_use
from lint import MOST_LINES, size
from typed import without_json
from unused import unused

TABLE = """
| folder | what it is | may use |
|---|---|---|
| `lib/base` | | |
| `lib/proto`, `lib/lb` | | base |
| `lib/flow` | | proto |
| `lib/dpdk` | | base |
| `dataplane` | | lib, lib/dpdk |
| `control/kube` | | lib |
| `control/daemon` | | all of control |
"""
FOLDERS = ("lib/base", "lib/proto", "lib/lb", "lib/flow", "lib/dpdk", "dataplane", "control/kube",
           "control/daemon")


class Made:
    """As tree.Tree, of texts."""

    def __init__(self, texts):
        self._texts = texts
        self.files = sorted(texts)

    def text(self, path):
        return self._texts[path]

    def under(self, *folders, endings=(".h", ".cc")):
        return [path for path in self.files if path.startswith(tuple(f"{f}/" for f in folders))
                and path.endswith(tuple(endings))]

    def includes(self, path):
        return [('"' in line, line.split()[1].strip('<">'))
                for line in self.text(path).split("\n") if line.startswith("#include")]

    def exists(self, path):
        return path in self._texts


def included(includer, name, table=TABLE):
    """What the rule says of one include, in a tree in which each folder has a file."""
    texts = {f"{folder}/it.h": "" for folder in FOLDERS}
    texts.update({"dataplane/runtime.h": "", "control/daemon/main.cc": "", DOCUMENT: table})
    texts[includer] = f'#include "{name}"\n'
    return list(may_use(Made(texts)))


def json_seen(by_model, by_header=""):
    """What the rule says when a file of the node model and a header have these lines."""
    return list(without_json(Made({"control/node/model.cc": by_model + "\n",
                                   "control/kube/it.h": by_header + "\n"})))


def long_files(lines, path="lib/base/long.cc"):
    return list(size(Made({path: "// a line\n" * lines})))


def functions(header, source=""):
    return [fault.split()[-1] for fault in unused(Made({"lib/a.h": header, "lib/a.cc": source}))
            if "nothing of the product" in fault]


CHECKS = [
    ("a named folder may be included", included("lib/proto/it.h", "lib/base/it.h"), 0),
    ("so may what it may use", included("lib/flow/it.h", "lib/base/it.h"), 0),
    ("a folder beside it may not", included("lib/proto/it.h", "lib/lb/it.h"), 1),
    ("nor one above", included("lib/base/it.h", "lib/flow/it.h"), 1),
    ("lib is all of it", included("control/kube/it.h", "lib/flow/it.h"), 0),
    ("but lib/dpdk", included("control/kube/it.h", "lib/dpdk/it.h"), 1),
    ("which the dataplane has", included("dataplane/it.h", "lib/dpdk/it.h"), 0),
    ("control does not see the dataplane", included("control/kube/it.h", "dataplane/it.h"), 1),
    ("but main its door", included("control/daemon/main.cc", "dataplane/runtime.h"), 0),
    ("and nothing behind it", included("control/daemon/main.cc", "dataplane/it.h"), 1),
    ("a path is from the root", included("lib/proto/it.h", "it.h"), 1),
    ("a folder has a row", included("lib/new/it.h", "lib/base/it.h"), 2),
    ("a row has a folder", included("lib/flow/it.h", "lib/base/it.h",
                                    TABLE + "| `lib/gone` | | base |\n"), 1),
    ("a word of a row has a row", included("lib/flow/it.h", "lib/base/it.h",
                                           TABLE.replace("| proto |", "| proto, prose |")), 1),
    ("a table must be there", included("lib/base/it.h", "lib/base/it.h", ""), 10),
    ("a function that is called", functions("int f();", "void g() { f(); }"), 0),
    ("one that is only defined", functions("int f();", "int f() { return 1; }"), 1),
    ("a member that is only defined",
     functions("struct S {\n    [[nodiscard]] std::vector<int>& f(int x) const;\n};",
               "std::vector<int>& S::f(int x) const {}"), 1),
    ("a call behind an attribute", functions("void f();", "if (x) [[unlikely]]\n    f();"), 0),
    ("a call behind return", functions("int f();", "int g = 1; return f();"), 0),
    ("a call of another's", functions("int f();", "a.f(); b->f();"), 0),
    ("a template's call", functions("template <class T> T f(T x);", "= f<int>(1);"), 0),
    ("its instantiation is none", functions("template <class T> T f(T x);",
                                            "template int f<int>(int);"), 1),
    ("a name in a comment or a text", functions("int f();", '// f()\nchar* t = "f()";'), 1),
    ("one that overrides a library's", functions("struct S { void f() override; };"), 0),
    ("its address", functions("int f();", "auto p = &f;"), 0),
    ("a file of the most lines", long_files(MOST_LINES), 0),
    ("one of more", long_files(MOST_LINES + 1), 1),
    ("a test of more", long_files(MOST_LINES + 1, "tests/unit/long_test.cc"), 1),
    ("a script of more", long_files(MOST_LINES + 1, "scripts/long.py"), 1),
    ("a document of more", long_files(MOST_LINES + 1, "docs/long.md"), 0),
    ("a node model without JSON", json_seen('#include "control/kube/it.h"'), 0),
    ("one with JSON", json_seen("#include <nlohmann/json.hpp>"), 1),
    ("one that includes what has JSON", json_seen('#include "control/kube/it.h"',
                                                  "#include <rapidjson/document.h>"), 1),
    ("JSON elsewhere", json_seen("", "#include <nlohmann/json.hpp>"), 0),
]


def main():
    print(f"1..{len(CHECKS)}")
    for number, (what, found, wanted) in enumerate(CHECKS, 1):
        print(f"{'ok' if len(found) == wanted else 'not ok'} {number} - {what}")
        if len(found) != wanted:
            print(f"# {len(found)} instead of {wanted}: {found}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
