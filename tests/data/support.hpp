#pragma once
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/error.hpp>

/// \file
/// What the tests of this room share.

namespace attnlab::test {

/// Checks that `action` throws one line that holds each of `pieces`.
template <class Action>
void says(Action action, std::initializer_list<std::string_view> pieces) {
    try {
        action();
        BOOST_ERROR("no error; expected one with: " << joined(pieces));
    } catch (error const& e) {
        std::string_view const line = e.what();
        for (auto const piece : pieces)
            BOOST_CHECK_MESSAGE(line.find(piece) != line.npos, "'" << line << "' lacks '" << piece << "'");
        BOOST_CHECK_MESSAGE(line.find('\n') == line.npos, "'" << line << "' is more than one line");
    }
}

/// A folder that is there for one test.
struct folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / text("attnlab-data-", ::getpid(), "-", count++);

    folder() { std::filesystem::create_directories(path); }
    folder(folder const&) = delete;
    folder& operator=(folder const&) = delete;
    ~folder() { std::filesystem::remove_all(path); }

    /// Writes a file and says where.
    std::filesystem::path with(std::string const& name, std::string_view contents) const {
        std::ofstream(path / name, std::ios::binary) << contents;
        return path / name;
    }

private:
    static inline int count = 0;
};

}  // namespace attnlab::test
