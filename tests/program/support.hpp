#pragma once
#include <cstdio>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <utility>

#include <attnlab/core/error.hpp>

/// \file
/// Runs the built program as a user would.

namespace attnlab::test {

/// A folder that goes away with its owner.
struct temporary_folder {
    std::filesystem::path path;
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "attnlab-XXXXXX").string();
        require(::mkdtemp(name.data()) != nullptr, "no temporary folder");
        path = name;
    }
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
};

struct outcome {
    int status;
    std::string text;   ///< standard output and errors
};

/// What a line to the shell gives.
inline outcome shell(std::string line) {
    std::string const command = "{ " + std::move(line) + "; } 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    require(pipe != nullptr, "cannot run ", command);
    outcome out{0, {}};
    char block[4096];
    for (std::size_t n; (n = std::fread(block, 1, sizeof block, pipe)) > 0;) out.text.append(block, n);
    int const status = ::pclose(pipe);
    out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return out;
}

/// `attnlab ARGUMENTS`.
inline outcome attnlab_run(std::string const& arguments) { return shell(std::string(ATTNLAB_PROGRAM) + " " + arguments); }

}  // namespace attnlab::test
