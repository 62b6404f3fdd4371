// podlane-kube's command line.
#pragma once

#include <span>
#include <string>

#include "control/options/table.h"
#include "lib/base/result.h"

namespace podlane::control {

struct KubeOptions {
    std::string node;        ///< this node's name, as in Kubernetes
    std::string kubeconfig;  ///< empty: the pod's service account
    std::string service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
    std::string socket = "/run/podlane/podlane.sock";
    std::string healthz = "0.0.0.0:10256";         ///< empty: not served
    std::string proxy_status = "127.0.0.1:10249";  ///< likewise
    std::string cni_source, cni_target;            ///< both or none
    std::string ingress_service;                   ///< "ns/name" before the proxy; empty: none
    std::string ingress_class = "podlane";
    std::string log_level = "info";
    bool writes = true;  ///< conditions, annotations, status of Services and Ingresses, Events
    bool help = false;
    bool version = false;
};

/// The table: help, man page and parsing are made from it.
[[nodiscard]] std::span<const OptionRow> kube_options() noexcept;

/// Errors are one line without the program's name. $NODE_NAME, $KUBECONFIG and $PODLANE_SOCKET
/// stand in for options that are not given.
[[nodiscard]] Result<KubeOptions> parse_kube_options(int argc, const char* const* argv);
[[nodiscard]] std::string kube_usage();

}  // namespace podlane::control
