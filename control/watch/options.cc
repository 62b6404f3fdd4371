#include "control/watch/options.h"

#include <fmt/format.h>

#include <array>
#include <boost/program_options.hpp>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace podlane::control {

namespace {

namespace po = boost::program_options;

constexpr std::array<std::string_view, 4> kLogLevels{"error", "warning", "info", "debug"};

po::options_description described(KubeOptions& options, bool& read_only) {
    po::options_description all("Options");
    auto add = all.add_options();
    add("node", po::value(&options.node)->value_name("NAME"),
        "this node's name in Kubernetes; default $NODE_NAME");
    add("kubeconfig", po::value(&options.kubeconfig)->value_name("FILE"),
        "how to reach the API server; default $KUBECONFIG, else the pod's service account");
    add("service-account", po::value(&options.service_account)->value_name("FOLDER"),
        "where the pod's service account is mounted");
    add("socket", po::value(&options.socket)->value_name("PATH"),
        "podlaned's config socket; default $PODLANE_SOCKET, else /run/podlane/podlane.sock");
    add("healthz", po::value(&options.healthz)->value_name("ADDRESS:PORT"),
        "serves /healthz and /livez as kube-proxy does (0.0.0.0:10256); \"\": not at all");
    add("cni-source", po::value(&options.cni_source)->value_name("FILE"),
        "CNI configuration to install once podlaned serves the cluster");
    add("cni-target", po::value(&options.cni_target)->value_name("FILE"),
        "where to install it, such as /etc/cni/net.d/10-podlane.conflist");
    add("ingress-service", po::value(&options.ingress_service)->value_name("NAMESPACE/NAME"),
        "the Service before the Ingress proxy, whose addresses are the Ingresses' status");
    add("ingress-class", po::value(&options.ingress_class)->value_name("NAME"),
        "the class of these Ingresses; default podlane");
    add("read-only", po::bool_switch(&read_only),
        "write nothing to the API server: no Events, no status, no annotations");
    add("log-level", po::value(&options.log_level)->value_name("LEVEL"),
        "error, warning, info (default) or debug");
    add("version", po::bool_switch(&options.version), "print the version");
    add("help", po::bool_switch(&options.help), "print this");
    return all;
}

void default_from(const char* variable, const po::variables_map& values, const char* option,
                  std::string& into) {
    const char* const value = std::getenv(variable);
    if (values.count(option) == 0 && value != nullptr && *value != '\0') into = value;
}

}  // namespace

Result<KubeOptions> parse_kube_options(int argc, const char* const* argv) {
    KubeOptions options;
    bool read_only = false;
    try {
        po::variables_map values;
        const po::options_description all = described(options, read_only);
        const po::positional_options_description none;
        po::store(
            po::command_line_parser(argc, argv)
                .options(all)
                .positional(none)
                .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                .run(),
            values);
        po::notify(values);
        default_from("NODE_NAME", values, "node", options.node);
        default_from("KUBECONFIG", values, "kubeconfig", options.kubeconfig);
        default_from("PODLANE_SOCKET", values, "socket", options.socket);
    } catch (const po::error& error) {
        return Error{error.what()};
    }
    options.writes = !read_only;
    if (options.help || options.version) return options;
    if (options.node.empty()) return Error{"--node NAME is missing, and $NODE_NAME is not set"};
    if (options.cni_source.empty() != options.cni_target.empty())
        return Error{"--cni-source and --cni-target go together"};
    const size_t slash = options.ingress_service.find('/');
    if (!options.ingress_service.empty() && (slash == std::string::npos || slash == 0))
        return Error{
            fmt::format("--ingress-service: {} is not NAMESPACE/NAME", options.ingress_service)};
    for (const std::string_view level : kLogLevels)
        if (options.log_level == level) return options;
    return Error{
        fmt::format("--log-level: {} is none of error, warning, info, debug", options.log_level)};
}

std::string kube_usage() {
    KubeOptions unused;
    bool read_only = false;
    std::ostringstream text;
    text << "podlane-kube --node NAME [--kubeconfig FILE] [OPTION...]\n\n"
            "Watches the Kubernetes API server and keeps podlaned equal to it.\n\n"
         << described(unused, read_only);
    return text.str();
}

}  // namespace podlane::control
