// Fuzz target: a client's bytes through framing and dispatch of the config socket.
//
// The first byte chooses the size limit of a message, the second the pieces in which the rest
// arrives. The messages are compared with a plain split at line ends, and every reply must be one
// line of JSON.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "control/rpc/framing.h"
#include "control/rpc/methods.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using namespace podlane::control;  // NOLINT(google-build-using-namespace)

// What a stream must yield: its messages, and whether one exceeded the limit.
struct Cut {
    std::vector<std::string> messages;
    bool is_over_limit = false;

    friend bool operator==(const Cut&, const Cut&) = default;
};

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

Cut plain_split(std::string_view stream, size_t limit) {
    Cut cut;
    while (!stream.empty()) {
        const std::string_view line = stream.substr(0, stream.find('\n'));
        if (line.size() > limit) {
            cut.is_over_limit = true;
            break;
        }
        if (line.find_first_not_of(" \t\r") != std::string_view::npos)
            cut.messages.emplace_back(line);
        stream.remove_prefix(std::min(stream.size(), line.size() + 1));
    }
    return cut;
}

Cut framed(std::string_view stream, size_t limit, size_t piece) {
    Cut cut;
    RpcFraming framing(limit);
    while (!stream.empty()) {
        const auto room = framing.room();
        if (room.empty()) fail("framing has no room");
        const size_t bytes = std::min({piece, room.size(), stream.size()});
        std::memcpy(room.data(), stream.data(), bytes);
        framing.received(bytes);
        stream.remove_prefix(bytes);
        while (auto message = framing.next()) cut.messages.push_back(*std::move(message));
    }
    if (auto rest = framing.rest()) cut.messages.push_back(*std::move(rest));
    cut.is_over_limit = framing.is_over_limit();
    return cut;
}

const RpcMethods& methods() {
    static const RpcMethods table = [] {
        RpcMethods made;
        made.add("get", [](RpcRequest& request) -> RpcResult {
            nlohmann::ordered_json reply{{"kind", request.params.text("kind")}};
            if (auto name = request.params.text_if_any("name")) reply["name"] = *name;
            if (auto limit = request.params.number_if_any("limit", 0, 1000))
                reply["limit"] = *limit;
            if (request.params.has("all")) reply["all"] = request.params.flag("all");
            if (request.params.has("list")) reply["list"] = request.params.texts("list");
            if (auto failure = request.params.failure()) return *failure;
            return reply;
        });
        made.add("apply", [](RpcRequest& request) -> RpcResult {
            auto names = nlohmann::ordered_json::array();
            for (const NamedText& document : request.params.documents()) {
                names.push_back(document.name);
                names.push_back(document.text);
            }
            if (auto failure = request.params.failure()) return *failure;
            return names;
        });
        return made;
    }();
    return table;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const size_t limit = size_t{1} << (4 + data[0] % 16);
    const size_t piece = size_t{1} + data[1];
    const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
    Cut cut = framed(stream, limit, piece);
    if (cut != plain_split(stream, limit)) fail("framing differs from a split at line ends");
    for (std::string& message : cut.messages) {
        const auto reply = methods().answer(message, {});
        if (!reply) continue;
        if (reply->find('\n') != std::string::npos) fail("a reply has a line end");
        if (!nlohmann::ordered_json::accept(*reply)) fail("a reply is no JSON");
    }
    return 0;
}
