#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/observations.hpp>

/// \file
/// A file of observations that grows while a program runs: can be read meanwhile, loses nothing that was appended when the program ends
/// badly, and is taken up where a run resumes.

namespace attnlab {

/// The numbers of one step: `row(metric, value)` of the whole model, `row(metric, value, layer)`, `row(metric, value, layer, head)`.
class step_rows {
public:
    explicit step_rows(index_t step) : step_(step) {}
    void operator()(std::string metric, double value, index_t layer = whole, index_t head = whole) {
        require(metric.find('\n') == metric.npos, "observation: the name of a metric: expected one line");
        rows_.push_back({step_, layer, head, std::move(metric), value});
    }
    std::vector<observation> const& all() const { return rows_; }

private:
    index_t step_;
    std::vector<observation> rows_;
};

/// Appends rows to NAME.csv or NAME.jsonl.
class observation_stream {
public:
    /// \throws usage_error for another ending
    explicit observation_stream(std::filesystem::path path) : path_(std::move(path)), as_json_(detail::is_json_lines(path_)) {}

    std::filesystem::path const& path() const { return path_; }

    /// Opens the file for a run that stands at `step`: rows of earlier steps stay, what comes after them goes, as that will be seen again.
    /// Makes folder and file where there are none. \throws error naming the path; a file that holds something else is left as it is
    void begin(index_t step) {
        std::error_code problem;
        if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path(), problem);
        std::size_t kept = 0;
        if (std::filesystem::exists(path_, problem))
            detail::each_observation(path_, read_text(path_), [&](observation const& o, std::size_t end) {
                if (o.step >= step) return false;
                kept = end;
                return true;
            });
        file_.emplace(path_, O_WRONLY | O_CREAT | O_APPEND);
        check(file_->get() >= 0);
        truncate(kept);
        if (kept == 0 && !as_json_) append_text(std::string(detail::observation_header) + '\n');
    }

    /// Appends all rows, in one write. \throws error naming the path, with the file as it was
    void append(std::vector<observation> const& rows) {
        require(file_.has_value(), path_.string(), ": expected begin() before append()");
        std::string lines;
        for (auto const& o : rows) lines += detail::observation_line(o, as_json_);
        append_text(lines);
    }

private:
    void check(bool good) const {
        if (!good) fail(path_.string(), ": cannot be written: ", detail::system_reason(errno));
    }
    void truncate(std::size_t size) const { check(::ftruncate(file_->get(), static_cast<off_t>(size)) == 0); }

    void append_text(std::string const& lines) const {
        struct stat before {};
        check(::fstat(file_->get(), &before) == 0);
        for (std::size_t done = 0; done < lines.size();) {
            auto const n = ::write(file_->get(), lines.data() + done, lines.size() - done);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) {   // a full disk takes half of it: no half is left
                int const reason = errno;
                truncate(static_cast<std::size_t>(before.st_size));
                errno = reason;
                check(false);
            }
            done += static_cast<std::size_t>(n);
        }
    }

    std::filesystem::path path_;
    bool as_json_;
    std::optional<detail::descriptor> file_;
};

}  // namespace attnlab
