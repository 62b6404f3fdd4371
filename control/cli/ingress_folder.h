// The folder that nginx takes its configuration from: nginx.conf, and tls/ with certificates.
//
// nginx.conf is replaced by one rename, when all that it names is there and nginx has tested it;
// files in tls/ have other names when their contents are others. So whoever reads the folder, at
// any time, finds a whole configuration. All files are for the owner alone (0600).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/ingress/plan.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Says of a configuration file what is wrong with it.
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
