"""Kubernetes objects as Python dicts, with the fields that a dataplane reads."""

import json


def is_v6(address):
    return ":" in address


def document(*items):
    """A `kind: List` of the objects, as `kubectl get -o json` prints it."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})


def node(name, pod_cidrs, addresses, vtep_mac=None, backend="vxlan"):
    """A Node; with `vtep_mac` it carries annotations in the form of flannel's VXLAN backend."""
    annotations = {}
    if vtep_mac:
        data = json.dumps({"VNI": 1, "VtepMAC": vtep_mac})
        prefix = "flannel.alpha.coreos.com/"
        annotations[prefix + "backend-type"] = backend
        annotations[prefix + "kube-subnet-manager"] = "true"
        for address in addresses:
            annotations[prefix + ("public-ipv6" if is_v6(address) else "public-ip")] = address
            annotations[prefix + ("backend-v6-data" if is_v6(address) else "backend-data")] = data
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"podCIDR": pod_cidrs[0], "podCIDRs": pod_cidrs},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address} for address in addresses]
            + [{"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def with_zone(made, zone):
    """The same Node in a zone."""
    labels = {"topology.kubernetes.io/zone": zone}
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def pod(name, addresses, node_name, *, namespace="default", labels=None, ready=True, ports=()):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {
            "nodeName": node_name,
            "containers": [{"name": "main", "image": "none", "ports": list(ports)}],
        },
        "status": {
            "phase": "Running",
            "podIP": addresses[0],
            "podIPs": [{"ip": address} for address in addresses],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def port(number, target, *, name="main", protocol="TCP", node_port=None):
    """One element of a Service's `ports`."""
    made = {"name": name, "protocol": protocol, "port": number, "targetPort": target}
    if node_port:
        made["nodePort"] = node_port
    return made


def service(name, cluster_ips, ports, *, namespace="default", selector=None, **spec):
    """A Service; NodePort when one of its ports has a node port, else ClusterIP."""
    kind = "NodePort" if any("nodePort" in each for each in ports) else "ClusterIP"
    made = {
        "type": kind,
        "clusterIP": cluster_ips[0],
        "clusterIPs": cluster_ips,
        "ipFamilies": ["IPv6" if is_v6(address) else "IPv4" for address in cluster_ips],
        "ipFamilyPolicy": "PreferDualStack" if len(cluster_ips) > 1 else "SingleStack",
        "ports": ports,
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }
    if kind == "NodePort":
        made["externalTrafficPolicy"] = "Cluster"
    if selector:
        made["selector"] = selector
    made.update(spec)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": made,
    }


def endpoint(address, node_name, *, ready=True, serving=True, terminating=False):
    return {
        "addresses": [address],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "nodeName": node_name,
    }


def endpoint_slice(service_name, endpoints, ports, *, namespace="default", family=4):
    """The EndpointSlice of one family; `ports`: (name, protocol, number) of the endpoints."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv6" if family == 6 else "IPv4",
        "metadata": {
            "name": f"{service_name}-v{family}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "endpoints": endpoints,
        "ports": [
            {"name": name, "protocol": protocol, "port": number}
            for name, protocol, number in ports
        ],
    }
