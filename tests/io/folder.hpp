#pragma once
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <attnlab/core/error.hpp>

/// A folder of its own for one test, removed after it.
struct folder {
    folder() {
        std::string name = (std::filesystem::temp_directory_path() / "attnlab-io-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    folder(folder const&) = delete;
    folder& operator=(folder const&) = delete;
    ~folder() { std::filesystem::remove_all(path); }

    std::filesystem::path operator/(std::string_view name) const { return path / name; }
    std::filesystem::path write(std::string_view name, std::string_view bytes) const {
        std::ofstream(path / name, std::ios::binary) << bytes;
        return path / name;
    }
    std::size_t count() const {
        auto const files = std::filesystem::directory_iterator(path);
        return static_cast<std::size_t>(std::distance(begin(files), end(files)));
    }

    std::filesystem::path path;
};

/// The line of the attnlab::error that `action` throws; fails the test when there is none or it is more than one line.
template <class Action>
std::string error_of(Action&& action) {
    try {
        action();
    } catch (attnlab::error const& e) {
        std::string const line = e.what();
        BOOST_TEST(line.find('\n') == line.npos);
        BOOST_TEST_MESSAGE(line);
        return line;
    }
    BOOST_ERROR("expected an attnlab::error");
    return {};
}

/// Whether every one of `words` is in `line`.
template <class... Words>
bool names(std::string const& line, Words const&... words) {
    bool const all = ((line.find(words) != line.npos) && ...);
    if (!all) BOOST_TEST_MESSAGE("not all named in: " + line);
    return all;
}
