// What most of control/ includes and nobody here edits: compiled once for each library.
// Only third-party and standard headers belong here; a header of ours would rebuild everything.
#ifndef PODLANE_CONTROL_PCH
#define PODLANE_CONTROL_PCH

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#endif
