#include "control/cli/ingress_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "control/cli/program.h"

namespace podlane::control {

namespace {

namespace fs = std::filesystem;

Error failed(const std::string& path) {
    return Error{fmt::format("{}: {}", path, std::strerror(errno))};
}

bool write_bytes(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::write(fd, bytes.data(), bytes.size());
        if (sent < 0 && errno != EINTR) return false;
        if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return ::fsync(fd) == 0;
}

/// A file that no other user can ever read, not even for a moment.
Result<void> write_file(const std::string& path, std::string_view bytes) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed(path);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return failed(path);
    const bool good = write_bytes(fd, bytes);
    const int reason = errno;
    ::close(fd);
    if (good) return {};
    ::unlink(path.c_str());
    errno = reason;
    return failed(path);
}

Result<void> move_file(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed(to);
    return {};
}

std::string contents(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

Result<void> make_folders(const std::string& folder) {
    std::error_code wrong;
    const fs::path tls = fs::path(folder) / "tls";
    fs::create_directories(tls, wrong);
    if (!wrong) fs::permissions(tls, fs::perms::owner_all, wrong);
    if (wrong) return Error{fmt::format("{}: {}", tls.string(), wrong.message())};
    return {};
}

/// Writes the pairs that do not exist yet; their paths are added to `written`.
Result<void> write_pairs(const std::string& folder, const std::vector<IngressKeyPair>& pairs,
                         std::vector<std::string>& written) {
    for (const IngressKeyPair& pair : pairs) {
        const std::string path = folder + "/tls/" + pair.file;
        if (contents(path) == pair.pem) continue;
        written.push_back(path);
        auto done = write_file(path + ".new", pair.pem);
        if (done.ok()) done = move_file(path + ".new", path);
        if (!done.ok()) return done;
    }
    return {};
}

void remove_other_pairs(const std::string& folder, const std::vector<IngressKeyPair>& pairs) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder + "/tls", ignored)) {
        const std::string name = entry.path().filename().string();
        if (std::ranges::find(pairs, name, &IngressKeyPair::file) == pairs.end()) {
            fs::remove(entry.path(), ignored);
        }
    }
}

Result<void> commit(const std::string& path, const std::string& config, const ConfigTest& test) {
    const std::string next = path + ".new";
    auto done = write_file(next, config);
    if (done.ok()) done = test(next);
    if (done.ok()) done = move_file(next, path);
    if (!done.ok()) ::unlink(next.c_str());
    return done;
}

}  // namespace

Result<bool> write_ingress_folder(const std::string& folder, const std::string& config,
                                  const std::vector<IngressKeyPair>& pairs,
                                  const ConfigTest& test) {
    const std::string path = folder + "/nginx.conf";
    auto done = make_folders(folder);
    if (!done.ok()) return done.error();
    std::vector<std::string> written;
    done = write_pairs(folder, pairs, written);
    const bool is_new = contents(path) != config;
    if (done.ok() && is_new) done = commit(path, config, test);
    if (!done.ok()) {
        for (const std::string& each : written) ::unlink(each.c_str());
        return done.error();
    }
    remove_other_pairs(folder, pairs);
    return is_new;
}

ConfigTest nginx_test(std::string program) {
    return [program = std::move(program)](const std::string& path) -> Result<void> {
        auto end = run_program({program, "-t", "-q", "-e", "stderr", "-c", path});
        if (!end.ok()) return end.error();
        if (end->code == 0) return {};
        std::istringstream lines(end->output);
        std::string first;
        for (std::string line; std::getline(lines, line);) {
            const bool tells_more = line.find("[emerg]") != std::string::npos;
            if (first.empty() || tells_more) first = line;
            if (tells_more) break;
        }
        return Error{fmt::format("{} refuses the configuration, the old one stays: {}", program,
                                 first.empty() ? fmt::format("exit {}", end->code) : first)};
    };
}

}  // namespace podlane::control
