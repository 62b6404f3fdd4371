"""The node model answers with typed values: no JSON in it, nor behind what it includes."""

MODEL = "control/node"
JSON = ("nlohmann/", "rapidjson/")


def without_json(tree):
    """Nothing that the node model includes, itself or by way of others, includes a JSON library."""
    for path in tree.under(MODEL):
        way = _way_to_json(tree, path)
        if way:
            yield f"{path}: sees JSON by way of {' > '.join(way)}"


def _way_to_json(tree, path):
    """The includes from `path` to a header of a JSON library, that one last; none: []."""
    ahead, seen = [(path, [])], {path}
    while ahead:
        here, way = ahead.pop(0)
        for _, name in tree.includes(here):
            if name.startswith(JSON):
                return [*way, name]
            if name not in seen and tree.exists(name):
                seen.add(name)
                ahead.append((name, [*way, name]))
    return []
