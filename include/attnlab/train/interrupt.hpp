#pragma once
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>
#include <vector>

#include <attnlab/core/error.hpp>

/// \file
/// Ctrl-C as a wish, not an accident: a long run looks at `signal_watch::caught()` between steps and ends in order. SIGUSR1 too, which job
/// schedulers send ahead of the end, and mpirun passes on.

namespace attnlab {

/// A run was ended by a signal, in order; the line says what was saved. Programs exit with 130.
class interrupted : public error {
public:
    using error::error;
};

/// While one lives, the first SIGINT, SIGTERM or SIGUSR1 is only noted; the second ends the program as ever. One at a time.
/// The handler has a stack of its own: oneDNN's generated products keep numbers below the stack pointer, where a handler's frame would go.
class signal_watch {
public:
    /// \param answer  written to standard error when a signal was noted, so that nobody takes it for lost; it must live as long
    explicit signal_watch(std::string_view answer = {}) : stack_(1 << 16) {
        noted_ = 0, answer_ = answer;
        stack_t own{};
        own.ss_sp = stack_.data();
        own.ss_size = stack_.size();
        sigaltstack(&own, &stack_before_);
        struct sigaction act {};
        act.sa_handler = [](int signal) {
            int const before = errno;
            noted_ = signal;
            [[maybe_unused]] auto const written = ::write(STDERR_FILENO, answer_.data(), answer_.size());   // a handler may do that
            errno = before;
        };
        act.sa_flags = static_cast<int>(SA_RESETHAND) | SA_ONSTACK;
        sigaction(SIGINT, &act, &before_int_);
        sigaction(SIGTERM, &act, &before_term_);
        sigaction(SIGUSR1, &act, &before_user_);
    }
    ~signal_watch() {
        sigaction(SIGINT, &before_int_, nullptr);
        sigaction(SIGTERM, &before_term_, nullptr);
        sigaction(SIGUSR1, &before_user_, nullptr);
        sigaltstack(&stack_before_, nullptr);
    }
    signal_watch(signal_watch const&) = delete;
    signal_watch& operator=(signal_watch const&) = delete;

    /// The signal noted since construction, as "SIGINT", "SIGTERM" or "SIGUSR1"; null if none.
    char const* caught() const { return noted_ == 0 ? nullptr : noted_ == SIGINT ? "SIGINT" : noted_ == SIGTERM ? "SIGTERM" : "SIGUSR1"; }

private:
    static inline volatile std::sig_atomic_t noted_ = 0;
    static inline std::string_view answer_;
    std::vector<char> stack_;   // of the thread that watches: the system hands it the signals that are sent to the program
    stack_t stack_before_;
    struct sigaction before_int_, before_term_, before_user_;  // filled by sigaction
};

}  // namespace attnlab
