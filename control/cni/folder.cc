#include "control/cni/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <thread>

#include "control/cni/failure.h"

namespace podlane::cni {
namespace {

constexpr const char* kLock = ".lock";
constexpr auto kLockRetry = std::chrono::milliseconds(2);

[[noreturn]] void failed(const std::string& path) {
    throw Failure(code::kInputOutput, "the plugin's state cannot be kept",
                  fmt::format("{}: {}", path, std::strerror(errno)));
}

void make_folders(const std::string& path) {
    for (size_t at = 1; at <= path.size(); ++at) {
        if (at < path.size() && path[at] != '/') continue;
        const std::string part = path.substr(0, at);
        if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) failed(part);
    }
}

/// A name that no other call uses.
std::string temporary() {
    return fmt::format(".new.{}", ::getpid());
}

}  // namespace

Folder::Folder(std::string path) : path_(std::move(path)) {
    struct stat there {};
    if (::stat(path_.c_str(), &there) != 0) make_folders(path_);
}

control::UniqueFd Folder::lock(std::chrono::milliseconds wait) const {
    const std::string path = at(kLock);
    control::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.valid()) failed(path);
    const auto until = std::chrono::steady_clock::now() + wait;
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) failed(path);
        if (std::chrono::steady_clock::now() >= until) {
            throw Failure(code::kTryAgainLater, "another call of podlane-cni takes too long",
                          fmt::format("{} is locked", path));
        }
        std::this_thread::sleep_for(kLockRetry);
    }
    return file;
}

std::vector<std::string> Folder::names() const {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path_.c_str()), ::closedir);
    if (!folder) failed(path_);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(folder.get())) {
        if (entry->d_name[0] != '.' && entry->d_type != DT_DIR) names.emplace_back(entry->d_name);
    }
    return names;
}

bool Folder::make_link(const std::string& name, const std::string& text) const {
    if (::symlink(text.c_str(), at(name).c_str()) == 0) return true;
    if (errno != EEXIST) failed(at(name));
    return false;
}

std::optional<std::string> Folder::read_link(const std::string& name) const {
    std::array<char, PATH_MAX> text;
    const ssize_t got = ::readlink(at(name).c_str(), text.data(), text.size());
    if (got >= 0) return std::string(text.data(), static_cast<size_t>(got));
    if (errno == ENOENT || errno == EINVAL) return std::nullopt;
    failed(at(name));
}

void Folder::replace_link(const std::string& name, const std::string& text) const {
    const std::string made = at(temporary());
    ::unlink(made.c_str());
    if (::symlink(text.c_str(), made.c_str()) != 0 ||
        ::rename(made.c_str(), at(name).c_str()) != 0) {
        failed(at(name));
    }
}

void Folder::write(const std::string& name, const std::string& text) const {
    const std::string made = at(temporary());
    control::UniqueFd file(::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.valid()) failed(made);
    for (size_t done = 0; done < text.size();) {
        const ssize_t wrote = ::write(file.get(), text.data() + done, text.size() - done);
        if (wrote < 0 && errno != EINTR) failed(made);
        if (wrote > 0) done += static_cast<size_t>(wrote);
    }
    if (::rename(made.c_str(), at(name).c_str()) != 0) failed(at(name));
}

std::optional<std::string> Folder::read(const std::string& name) const {
    const control::UniqueFd file(::open(at(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) {
        if (errno == ENOENT) return std::nullopt;
        failed(at(name));
    }
    std::string text;
    std::array<char, 4096> part;
    while (true) {
        const ssize_t got = ::read(file.get(), part.data(), part.size());
        if (got == 0) return text;
        if (got < 0 && errno != EINTR) failed(at(name));
        if (got > 0) text.append(part.data(), static_cast<size_t>(got));
    }
}

void Folder::remove(const std::string& name) const {
    if (::unlink(at(name).c_str()) != 0 && errno != ENOENT) failed(at(name));
}

}  // namespace podlane::cni
