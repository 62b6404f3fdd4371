// The kinds of objects that concern the dataplane, one entry each. What there is once for each kind
// follows from it: the enum and its names (meta.h), what operators type, the variant Object
// (objects.h), the store's maps (store.h), the reader's and the printer's declarations (read.h,
// json.h). A new kind is an entry here, its struct in objects.h, read_object(), to_json(), and its
// columns in control/cli/object_columns.cc.
#pragma once

/// KIND(TYPE, KIND NAME, API VERSION, IS NAMESPACED, PLURAL, SHORT NAME...), the words as `kubectl
/// api-resources` has them. TYPE is the struct's name; Kind::kTYPE the enumerator's.
#define PODLANE_KINDS(KIND)                                                                    \
    KIND(Node, "Node", "v1", false, "nodes", "no")                                             \
    KIND(Pod, "Pod", "v1", true, "pods", "po")                                                 \
    KIND(Namespace, "Namespace", "v1", false, "namespaces", "ns")                              \
    KIND(Service, "Service", "v1", true, "services", "svc")                                    \
    KIND(EndpointSlice, "EndpointSlice", "discovery.k8s.io/v1", true, "endpointslices", "eps") \
    KIND(Endpoints, "Endpoints", "v1", true, "endpoints", "ep")                                \
    KIND(NetworkPolicy, "NetworkPolicy", "networking.k8s.io/v1", true, "networkpolicies",      \
         "netpol", "policies")                                                                 \
    KIND(Ingress, "Ingress", "networking.k8s.io/v1", true, "ingresses", "ing")                 \
    KIND(IngressClass, "IngressClass", "networking.k8s.io/v1", false, "ingressclasses", )      \
    KIND(Secret, "Secret", "v1", true, "secrets", )                                            \
    KIND(ServiceCidr, "ServiceCIDR", "networking.k8s.io/v1", false, "servicecidrs", )
