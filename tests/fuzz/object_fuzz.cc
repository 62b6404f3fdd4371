// Fuzz target: text as Kubernetes objects, and the same text as a node's configuration.
//
// Whatever comes in, the result is objects, or one line that begins with the document's name.
// Objects that were read are printed, and must be read back equal.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/node_config.h"
#include "control/kube/json.h"
#include "control/kube/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using namespace podlane;           // NOLINT(google-build-using-namespace)
using namespace podlane::control;  // NOLINT(google-build-using-namespace)

[[noreturn]] void fail(const char* what, std::string_view text) {
    std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
    std::abort();
}

void check_error(const Error& error) {
    if (!error.message.starts_with("doc:")) fail("an error without its place", error.message);
    if (error.message.find('\n') != std::string::npos) fail("more than a line", error.message);
    if (error.line < 1) fail("an error without its line", error.message);
}

void check_round_trip(const Object& object) {
    const auto* secret = std::get_if<ObjectPtr<Secret>>(&object);
    const std::string text =
        (secret == nullptr ? to_json(object) : whole_secret_json(**secret)).dump();
    const auto again = parse_objects(text, "doc");
    if (!again.ok()) fail("what was printed is refused", again.error().message + "\n" + text);
    if (again->objects.size() != 1 || !equal_objects(object, again->objects[0])) {
        fail("what was printed is read as something else", text);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::vector<Error> errors;
    const auto parsed = parse_objects(text, "doc", &errors);
    if (parsed.ok() != errors.empty()) fail("errors and the result differ", text);
    for (const Error& error : errors) check_error(error);
    if (parsed.ok()) {
        for (const Object& object : parsed->objects) check_round_trip(object);
        if (const auto keys = parse_object_keys(text, "doc"); !keys.ok()) {
            fail("objects without keys", keys.error().message);
        }
    }
    const auto config = load_node_config_from_text(text, "doc");
    if (config.ok()) {
        if (describe(*config).empty()) fail("no description", text);
    } else {
        check_error(config.error());
    }
    return 0;
}
