#include "control/daemon/version.h"

namespace podlane::control {

const char* version() noexcept {
    return PODLANE_VERSION;
}

}  // namespace podlane::control
