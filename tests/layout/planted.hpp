#pragma once
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

/// A tree of headers made for a test, to show that a rule of the layout notices what breaks it.
class planted {
public:
    planted() : root_(std::filesystem::temp_directory_path() / ("attnlab_layout_" + std::to_string(getpid()))) {
        std::filesystem::remove_all(root_);
        std::filesystem::create_directories(root_);
    }
    ~planted() { std::filesystem::remove_all(root_); }
    planted(planted const&) = delete;
    planted& operator=(planted const&) = delete;

    /// Writes `text` to the header `name`, e.g. "core/view.hpp".
    void header(std::string const& name, std::string const& text) const {
        std::filesystem::create_directories((root_ / name).parent_path());
        std::ofstream(root_ / name) << text;
    }
    std::filesystem::path const& root() const { return root_; }

private:
    std::filesystem::path root_;
};

/// The library's own headers.
inline std::filesystem::path library() { return std::filesystem::path(ATTNLAB_SOURCE_DIR) / "include/attnlab"; }
