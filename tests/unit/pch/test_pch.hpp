// What nearly every test includes and nobody here edits: compiled once for each test program.
// Only third-party and standard headers belong here; a header of ours would rebuild everything.
#ifndef PODLANE_TEST_PCH
#define PODLANE_TEST_PCH

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#endif
