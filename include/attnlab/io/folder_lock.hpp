#pragma once
#include <sys/file.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include <attnlab/core/error.hpp>
#include <attnlab/io/file.hpp>

namespace attnlab {

/// A folder that this process alone writes results to while the lock lives: others that ask for it are refused. The system lets go when the
/// process ends, however it ends; the empty file `.lock` that stays behind locks nothing.
class folder_lock {
public:
    /// Makes the folder where there is none. \throws error naming the folder when another process has it, or it cannot be written to
    explicit folder_lock(std::filesystem::path const& folder) {
        make_folder(folder);
        file_.emplace(folder / ".lock", O_RDWR | O_CREAT);
        if (file_->get() < 0) fail(folder.string(), ": cannot be written to: ", detail::system_reason(errno));
        // A file system without locks is no reason to refuse.
        if (::flock(file_->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            fail(folder.string(), ": another attnlab is writing to this folder: expected one at a time; wait for it, or name another folder");
    }

private:
    std::optional<detail::descriptor> file_;
};

}  // namespace attnlab
