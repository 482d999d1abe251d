#pragma once
#include <cstdlib>
#include <filesystem>

#include <attnlab/core/error.hpp>

/// The folder of parity fixtures: the environment variable ATTNLAB_FIXTURES, else the one CMake was given.
/// \throws attnlab::error when there is no such folder: a test that has nothing to read must not pass
inline std::filesystem::path fixtures() {
    char const* chosen = std::getenv("ATTNLAB_FIXTURES");
    std::filesystem::path const folder = chosen != nullptr && *chosen != '\0' ? chosen : ATTNLAB_DEFAULT_FIXTURES;
    attnlab::require(std::filesystem::is_directory(folder), folder.string(), ": ATTNLAB_FIXTURES: expected a folder of fixtures");
    return folder;
}
