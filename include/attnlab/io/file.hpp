#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <attnlab/core/error.hpp>

/// \file
/// Files as the rest of attnlab sees them: written whole or not at all, read whole or mapped. Every error names the path.

namespace attnlab {

static_assert(std::endian::native == std::endian::little, "attnlab's file formats are little-endian and are read as they lie");

namespace detail {

/// What the system says about `code` (an errno), or a plain word where it says nothing.
inline std::string system_reason(int code) {
    return code == 0 ? std::string("the stream failed") : std::generic_category().message(code);
}

/// A name beside `target`, unique to this process and call; the file of that name is removed unless it was renamed away.
class temporary_name {
public:
    explicit temporary_name(std::filesystem::path const& target) : path_(target) {
        static std::atomic<unsigned> counter{0};
        path_ += text(".tmp-", ::getpid(), "-", counter++);
    }
    temporary_name(temporary_name const&) = delete;
    temporary_name& operator=(temporary_name const&) = delete;
    ~temporary_name() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }
    std::filesystem::path const& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// An open file descriptor, closed at the end of its life.
class descriptor {
public:
    descriptor(std::filesystem::path const& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
    descriptor(descriptor const&) = delete;
    descriptor& operator=(descriptor const&) = delete;
    ~descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    int get() const { return number_; }

private:
    int number_;
};

}  // namespace detail

/// Makes a folder and those above it, where they are not there yet. \throws error naming it
inline void make_folder(std::filesystem::path const& folder) {
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    if (!problem && !std::filesystem::is_directory(folder, problem)) problem = std::make_error_code(std::errc::not_a_directory);
    if (problem) fail(folder.empty() ? "''" : folder.string(), ": cannot be made: ", problem.message());
}

/// Calls `write(std::ostream&)` on a temporary file in the folder of `path`, brings it to the disk and renames it to `path`: a
/// reader sees the old file or the new one, never half of one.
/// \throws error naming the path, when the folder is missing, the disk is full or `path` is something other than a file; what
/// `write` throws passes through. The temporary file is removed in each case.
template <class Write>
    requires std::invocable<Write&, std::ostream&>
void write_atomically(std::filesystem::path const& path, Write&& write) {
    // A rename would replace a device such as /dev/null by a plain file.
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
        fail(path.string(), ": cannot be written: expected a plain file or a new name");

    detail::temporary_name const temporary(path);
    auto const check = [&](bool good) {
        if (!good) fail(path.string(), ": cannot be written: ", detail::system_reason(errno));
    };
    errno = 0;
    {
        std::ofstream out(temporary.path(), std::ios::binary);
        check(out.is_open());
        write(static_cast<std::ostream&>(out));
        out.close();
        check(out.good());
    }
    // Without the sync a crash soon after may leave the new name on an empty file.
    detail::descriptor const written(temporary.path(), O_RDONLY);
    check(written.get() >= 0 && ::fsync(written.get()) == 0);
    check(::rename(temporary.path().c_str(), path.c_str()) == 0);
}

/// The whole file as it is. Works on pipes too. \throws error naming the path
inline std::string read_text(std::filesystem::path const& path) {
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) fail(path.string(), ": cannot be read: ", detail::system_reason(errno));
    std::string out;
    char block[1 << 16];
    while (in.read(block, sizeof block), in.gcount() > 0) out.append(block, static_cast<std::size_t>(in.gcount()));
    // A folder opens like a file and fails at the first read.
    if (in.bad()) fail(path.string(), ": cannot be read: ", detail::system_reason(errno));
    return out;
}

/// A plain file mapped for reading: nothing is read until it is touched. The file must not shrink while it is mapped.
class mapped_file {
public:
    /// \throws error naming the path, when it cannot be opened or is not a plain file
    explicit mapped_file(std::filesystem::path path) : path_(std::move(path)) {
        detail::descriptor const file(path_, O_RDONLY);
        struct stat status {};
        if (file.get() < 0 || ::fstat(file.get(), &status) != 0)
            fail(path_.string(), ": cannot be read: ", detail::system_reason(errno));
        if (!S_ISREG(status.st_mode)) fail(path_.string(), ": cannot be read: expected a plain file");
        auto const size = static_cast<std::size_t>(status.st_size);
        if (size == 0) return;  // the system refuses to map nothing
        void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
        if (at == MAP_FAILED) fail(path_.string(), ": cannot be mapped: ", detail::system_reason(errno));
        bytes_ = {static_cast<std::byte const*>(at), size};
    }
    mapped_file(mapped_file&& other) noexcept : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}
    mapped_file& operator=(mapped_file&& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~mapped_file() {
        if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }

    std::filesystem::path const& path() const { return path_; }
    std::span<std::byte const> bytes() const { return bytes_; }
    std::size_t size() const { return bytes_.size(); }

    /// Gives the pages of `part` back to the system: they no longer count as this process's memory, and are read again when touched.
    void release(std::span<std::byte const> part) const { advise(part, MADV_DONTNEED); }
    /// Has the pages of `part` read before they are touched.
    void prefetch(std::span<std::byte const> part) const { advise(part, MADV_WILLNEED); }

private:
    /// Advice is for whole pages; a page at an end that others read too is merely found again. Only pages of this file: memory of another
    /// kind would be lost.
    void advise(std::span<std::byte const> part, int advice) const {
        if (part.empty()) return;
        require(part.data() >= bytes_.data() && part.data() + part.size() <= bytes_.data() + bytes_.size(), path_.string(),
                ": pages outside of the mapped file");
        static auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        std::size_t const first = static_cast<std::size_t>(part.data() - bytes_.data()) / page * page;
        std::size_t const last = static_cast<std::size_t>(part.data() - bytes_.data()) + part.size();
        ::madvise(const_cast<std::byte*>(bytes_.data()) + first, last - first, advice);
    }

    std::filesystem::path path_;
    std::span<std::byte const> bytes_;
};

}  // namespace attnlab
