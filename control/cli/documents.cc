#include "control/cli/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

// RFC 3629 section 3; overlong forms and surrogates are left to the server, which refuses them.
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

Result<Document> read_stream(std::string name, std::istream& in) {
    std::string text;
    char piece[1 << 16];
    while (in.read(piece, sizeof piece) || in.gcount() > 0) {
        text.append(piece, static_cast<size_t>(in.gcount()));
    }
    if (in.bad()) return Error{fmt::format("{}: cannot be read", name)};
    if (!is_utf8(text)) return Error{fmt::format("{}: is not UTF-8 text", name)};
    return Document{std::move(name), std::move(text)};
}

Result<std::vector<std::string>> files_of(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        const std::string extension = at->path().extension();
        std::error_code unknown;
        if ((extension == ".yaml" || extension == ".yml" || extension == ".json") &&
            at->is_regular_file(unknown)) {
            names.push_back(at->path());
        }
    }
    if (error) return Error{fmt::format("{}: {}", folder, error.message())};
    if (names.empty()) return Error{fmt::format("{}: has no *.yaml, *.yml or *.json", folder)};
    std::ranges::sort(names);
    return names;
}

Result<Document> read_file(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error{
            fmt::format("{}: {}", path, errno == 0 ? "cannot be read" : std::strerror(errno))};
    }
    return read_stream(path, file);
}

}  // namespace

Result<std::vector<Document>> read_documents(const std::vector<std::string>& paths,
                                             std::istream& in) {
    std::vector<Document> documents;
    const auto take = [&documents](Result<Document> read) -> Result<void> {
        if (!read) return read.error();
        documents.push_back(std::move(read).value());
        return {};
    };
    for (const std::string& path : paths) {
        std::error_code unknown;
        if (path == "-") {
            if (auto taken = take(read_stream("stdin", in)); !taken) return taken.error();
        } else if (!fs::is_directory(path, unknown)) {
            if (auto taken = take(read_file(path)); !taken) return taken.error();
        } else {
            const auto names = files_of(path);
            if (!names) return names.error();
            for (const std::string& name : names.value()) {
                if (auto taken = take(read_file(name)); !taken) return taken.error();
            }
        }
    }
    return documents;
}

}  // namespace podlane::control
