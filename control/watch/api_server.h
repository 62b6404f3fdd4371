// Where the API server is and how podlane-kube proves who it is: from a kubeconfig file, or from
// what Kubernetes mounts into a pod.
//
// Read once at start; the files that it names (tokens, certificates) are read again for each
// connection, because kubelets and operators rotate them.
#pragma once

#include <string>

#include "lib/base/result.h"

namespace podlane::control {

/// A PEM text, or the file that has it. Both empty: none.
struct PemSource {
    std::string text;
    std::string file;
    [[nodiscard]] bool is_set() const noexcept { return !text.empty() || !file.empty(); }
};

struct ApiServer {
    std::string url;  ///< "https://192.168.50.1:6443", without a slash at the end
    PemSource authority;
    PemSource certificate, key;   ///< of the client; both or none
    std::string token;            ///< bearer token, or
    std::string token_file;       ///< the file that has it; read for each connection
    std::string tls_server_name;  ///< to expect in the certificate instead of the URL's host
    bool skips_verification = false;
};

/// The current context of a kubeconfig. Errors name the file, the key and what is allowed; a user
/// who needs an exec or auth plugin is refused.
[[nodiscard]] Result<ApiServer> read_kubeconfig(const std::string& path);

/// The service account of the pod that this runs in: KUBERNETES_SERVICE_HOST and _PORT, and the
/// files of `folder` (Kubernetes mounts /var/run/secrets/kubernetes.io/serviceaccount).
[[nodiscard]] Result<ApiServer> in_cluster_server(const std::string& folder);

}  // namespace podlane::control
