// The folder that nginx takes its configuration from: nginx.conf, and tls/ with certificates.
//
// nginx.conf is replaced by one rename, after all files that it names exist and nginx has tested
// it; the name of a file in tls/ depends on its contents. So a reader of the folder always finds a
// complete configuration. Only the owner can read the files (0600).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/ingress/plan.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Says what is wrong with a configuration file.
using ConfigTest = std::function<Result<void>(const std::string& path)>;

/// Makes `folder` hold `config` and `pairs`; gives whether nginx.conf is another than before. An
/// Error leaves the configuration as it was.
[[nodiscard]] Result<bool> write_ingress_folder(const std::string& folder,
                                                const std::string& config,
                                                const std::vector<IngressKeyPair>& pairs,
                                                const ConfigTest& test);

/// The test by `PROGRAM -t`.
[[nodiscard]] ConfigTest nginx_test(std::string program);

}  // namespace podlane::control
