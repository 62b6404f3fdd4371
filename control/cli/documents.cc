#include "control/cli/documents.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include "control/kube/manifests.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

// RFC 3629 section 3. Overlong forms and surrogates are left to the server, which refuses them.
bool is_utf8(std::string_view text) {
    size_t following = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (following > 0) {
            if ((byte & 0xc0U) != 0x80U) return false;
            --following;
        } else if (byte >= 0x80) {
            if (byte >= 0xc2 && byte <= 0xdf) {
                following = 1;
            } else if (byte >= 0xe0 && byte <= 0xef) {
                following = 2;
            } else if (byte >= 0xf0 && byte <= 0xf4) {
                following = 3;
            } else {
                return false;
            }
        }
    }
    return following == 0;
}

Result<TextDocument> read_stream(std::string name, std::istream& in) {
    std::string text;
    char piece[1 << 16];
    while (in.read(piece, sizeof piece) || in.gcount() > 0) {
        text.append(piece, static_cast<size_t>(in.gcount()));
    }
    if (in.bad()) return Error{fmt::format("{}: cannot be read", name)};
    if (!is_utf8(text)) return Error{fmt::format("{}: is not UTF-8 text", name)};
    return TextDocument{std::move(name), std::move(text)};
}

Result<TextDocument> read_file(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error{
            fmt::format("{}: {}", path, errno == 0 ? "cannot be read" : std::strerror(errno))};
    }
    return read_stream(path, file);
}

}  // namespace

Result<ReadDocuments> read_documents(const std::vector<std::string>& paths, std::istream& in) {
    ReadDocuments all;
    for (const std::string& path : paths) {
        std::error_code unknown;
        if (path == "-" || !fs::is_directory(path, unknown)) {
            auto read = path == "-" ? read_stream("stdin", in) : read_file(path);
            if (!read) return read.error();
            all.documents.push_back(std::move(read).value());
            continue;
        }
        const auto names = manifests_in(path);
        if (!names) return names.error();
        if (names->empty()) {
            return Error{fmt::format("{}: has no *.yaml, *.yml or *.json", path), path};
        }
        for (const std::string& name : names.value()) {
            auto read = read_file(name);
            if (!read) return read.error();
            if (holds_objects(read->text, name)) {
                all.documents.push_back(std::move(read).value());
            } else {
                all.notices.push_back(no_objects_notice(name));
            }
        }
    }
    return all;
}

}  // namespace podlane::control
