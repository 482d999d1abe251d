#pragma once
#include <unistd.h>

#include <concepts>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include <attnlab/core/error.hpp>

namespace attnlab {

/// Calls `fill(folder)` on a new folder beside `path` and renames it to `path`: a reader sees no folder or a whole one.
/// \throws error naming the path when something is there already, or it cannot be made; what `fill` throws passes through, and the
/// folder is removed
template <class Fill>
    requires std::invocable<Fill&, std::filesystem::path const&>
void write_folder_atomically(std::filesystem::path const& path, Fill&& fill) {
    auto target = path;
    if (target.filename().empty()) target = target.parent_path();   // "out/"
    struct in_making {
        std::filesystem::path path;
        ~in_making() {
            std::error_code ignored;
            std::filesystem::remove_all(path, ignored);
        }
    };
    std::error_code problem;
    if (std::filesystem::exists(std::filesystem::symlink_status(target, problem))) fail(target.string(), ": exists already: expected a new name");
    in_making const folder{target.string() + ".tmp-" + std::to_string(::getpid())};
    if (!std::filesystem::create_directory(folder.path, problem))
        fail(target.string(), ": cannot be made: ", problem ? problem.message() : folder.path.string() + " exists");
    fill(std::as_const(folder.path));
    std::filesystem::rename(folder.path, target, problem);
    if (problem) fail(target.string(), ": cannot be made: ", problem.message());
}

}  // namespace attnlab
