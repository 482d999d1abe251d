#pragma once
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include <attnlab/core/error.hpp>

/// \file
/// One line that says how far long work is, how fast it goes and how long it still takes.

namespace attnlab {

/// Where and how often a progress line is written.
struct progress_output {
    bool quiet = false;
    std::ostream* out = &std::cerr;
    bool terminal = ::isatty(STDERR_FILENO) == 1;  ///< redraw in place; otherwise whole lines
    double interval = terminal ? 0.1 : 10;         ///< seconds between two lines
};

/// Of a command whose output is an answer: a line that is redrawn for someone who waits at a terminal, and nothing in a file or a pipe.
inline progress_output answer_progress(bool quiet) {
    progress_output out;
    out.quiet = quiet || !out.terminal;
    return out;
}

/// Counts units of work of one thread: `progress p("training softmax", total, "tokens"); p.advance(n); p.note("loss 1.95");`
/// The last line has the total time; it is written by `finish` or at the end of its life.
class progress {
public:
    /// `total` 0: not known, so no share and no time left.
    progress(std::string label, std::uint64_t total, std::string unit, progress_output output = {})
        : label_(std::move(label)), unit_(std::move(unit)), total_(total), output_(output) {}
    progress(progress const&) = delete;
    progress& operator=(progress const&) = delete;
    ~progress() { finish(); }

    void advance(std::uint64_t units = 1) {
        done_ += units;
        if (output_.quiet || finished_) return;
        double const now = seconds();
        if (now - drawn_ < output_.interval) return;
        drawn_ = now;
        draw(now);
    }

    /// A short text at the end of the line, e.g. "loss 1.95". Shown from the next redraw on.
    void note(std::string text) { note_ = std::move(text); }

    /// A line of its own on `to`, above this one where that is redrawn in place.
    void say(std::string const& line, std::ostream& to = std::cout) {
        if (output_.terminal && !output_.quiet && !finished_) {
            *output_.out << "\r\x1b[K" << std::flush;
            drawn_ = -output_.interval;   // the next step draws again
        }
        to << line << std::endl;
    }

    /// Writes the last line, once.
    void finish() {
        if (std::exchange(finished_, true) || output_.quiet) return;
        double const time = seconds();
        std::string line = text(label_, "  ", of_total(), "  in ", duration(time));
        if (time > 0 && done_ > 0) line += text("  ", short_number(static_cast<double>(done_) / time), "/s");
        if (!note_.empty()) line += "  " + note_;
        put(line);
        if (output_.terminal) *output_.out << '\n' << std::flush;
    }

    /// 950, 12.3k, 4.56M, 7.89G
    static std::string short_number(double value) {
        static constexpr char const* suffix[] = {"", "k", "M", "G", "T"};
        int step = 0;
        for (; value >= 999.5 && step < 4; ++step) value /= 1000;
        char word[32];
        bool const whole = step == 0 && value == std::floor(value);
        std::snprintf(word, sizeof word, "%.*f%s", whole || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, suffix[step]);
        return word;
    }

    /// 3.1 s, 4:07, 2:03:10
    static std::string duration(double time) {
        char word[48];
        auto const whole = static_cast<long long>(std::lround(std::min(time, 3.6e8)));
        if (time < 59.95) std::snprintf(word, sizeof word, "%.1f s", time);
        else if (whole < 3600) std::snprintf(word, sizeof word, "%lld:%02lld", whole / 60, whole % 60);
        else std::snprintf(word, sizeof word, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
        return word;
    }

private:
    using clock = std::chrono::steady_clock;
    double seconds() const { return std::chrono::duration<double>(clock::now() - start_).count(); }

    std::string of_total() const {
        std::string const of = total_ == 0 || done_ == total_ ? "" : text(" of ", short_number(static_cast<double>(total_)));
        return text(short_number(static_cast<double>(done_)), of, " ", unit_);
    }

    void draw(double now) {
        double const rate = static_cast<double>(done_) / now;
        std::string line = label_;
        if (total_ != 0) {
            double const share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
            line += text("  ", static_cast<int>(100 * share), "%");
        }
        line += text("  ", of_total(), "  ", short_number(rate), "/s");
        if (total_ > done_ && rate > 0) line += text("  ", duration(static_cast<double>(total_ - done_) / rate), " left");
        if (!note_.empty()) line += "  " + note_;
        put(line);
    }

    void put(std::string line) {
        if (!output_.terminal) {
            *output_.out << line << '\n' << std::flush;
            return;
        }
        // A line that wraps could not be redrawn in place.
        winsize window{};
        bool const known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1;
        line.resize(std::min<std::size_t>(line.size(), known ? window.ws_col - 1u : 79u));
        *output_.out << '\r' << line << "\x1b[K" << std::flush;
    }

    std::string label_, unit_, note_;
    std::uint64_t total_, done_ = 0;
    progress_output output_;
    clock::time_point start_ = clock::now();
    double drawn_ = 0;
    bool finished_ = false;
};

}  // namespace attnlab
