#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

/// \file
/// What libFuzzer makes up, as a file: in memory, or in a folder. A target calls the reader and swallows attnlab::error; anything else
/// that happens, and any allocation beyond the limits in CMakeLists.txt, is a find.

/// A file without a folder: `path()` can be opened and mapped.
class input_file {
public:
    input_file(std::uint8_t const* data, std::size_t size) : descriptor_(::memfd_create("fuzz", 0)) {
        if (descriptor_ < 0 || ::write(descriptor_, data, size) != static_cast<ssize_t>(size)) std::abort();
    }
    input_file(input_file const&) = delete;
    input_file& operator=(input_file const&) = delete;
    ~input_file() { ::close(descriptor_); }
    std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

private:
    int descriptor_;
};

/// A folder for the life of the process.
class input_folder {
public:
    input_folder() {
        std::string name = std::filesystem::exists("/dev/shm") ? "/dev/shm/attnlab-fuzz-XXXXXX" : "/tmp/attnlab-fuzz-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    input_folder(input_folder const&) = delete;
    input_folder& operator=(input_folder const&) = delete;
    ~input_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::filesystem::path const& path() const { return path_; }
    void write(char const* name, std::uint8_t const* data, std::size_t size) const {
        std::ofstream(path_ / name, std::ios::binary).write(reinterpret_cast<char const*>(data), static_cast<std::streamsize>(size));
    }

private:
    std::filesystem::path path_;
};
