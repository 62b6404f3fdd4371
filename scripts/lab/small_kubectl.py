"""`kubectl apply -f FILE...` and `delete -f FILE...` for the demo, where there is no kubectl."""

import json
import sys
import urllib.error
import urllib.request

import yaml

PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies",
           "IngressClass": "ingressclasses"}
WITHOUT_NAMESPACE = ("Node", "Namespace", "IngressClass")


def path_of(item):
    """(Path of the collection, name) of an object."""
    version, kind, meta = item["apiVersion"], item["kind"], item["metadata"]
    root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    if kind not in WITHOUT_NAMESPACE:
        root += f"/namespaces/{meta.get('namespace', 'default')}"
    return f"{root}/{PLURALS.get(kind, kind.lower() + 's')}", meta["name"]


def ask(url, method, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"},
                                     method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def apply(server, item):
    collection, name = path_of(item)
    try:
        ask(f"{server}{collection}/{name}", "PATCH", item)
        return "configured"
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
    ask(f"{server}{collection}", "POST", item)
    return "created"


def delete(server, item):
    collection, name = path_of(item)
    ask(f"{server}{collection}/{name}", "DELETE")
    return "deleted"


def main():
    server, command = sys.argv[1:3]
    for path in (word for word in sys.argv[3:] if word != "-f"):
        with open(path, encoding="utf-8") as file:
            for item in filter(None, yaml.safe_load_all(file)):
                done = {"apply": apply, "delete": delete}[command](server, item)
                print(f"{item['kind'].lower()}/{item['metadata']['name']} {done}")


if __name__ == "__main__":
    main()
