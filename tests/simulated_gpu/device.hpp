#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "warp.hpp"

/// \file
/// The device behind the runtime's functions: programs, memory, and work that is done when somebody waits for it, not before. So a host that
/// reads too early reads what was there before, every time.

namespace simulated {

struct launch {
    kernel const* program;
    std::array<int, 3> blocks, threads;
    std::size_t shared;   ///< bytes beyond the kernel's own
    std::vector<unsigned char> arguments;
};

/// Runs all blocks of a launch. \throws fault
counts run(launch const& l);

class device {
public:
    static device& one();

    /// Everything that streams hold, in the order in which it was given, whatever the stream.
    std::uint64_t enqueue(std::function<void()> work);
    /// Does what was given up to `ticket`. \return false where something failed, now or before; the fault is then `problem()`
    bool finish(std::uint64_t ticket = ~std::uint64_t{0});
    bool idle() const;
    std::uint64_t last_ticket() const { return given_; }
    std::string const& problem() const { return problem_; }
    bool broken() const { return !problem_.empty(); }

    void start(launch l);
    ~device();

private:
    void report(std::string const& file) const;

    mutable std::recursive_mutex mutex_;
    std::deque<std::pair<std::uint64_t, std::function<void()>>> queue_;
    std::uint64_t given_ = 0;
    std::string problem_;
    std::map<kernel const*, counts> counts_;
};

}  // namespace simulated
