#pragma once
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>

extern char** environ;

namespace attnlab {

/// A program running beside this one; its standard output comes through a pipe, its errors go to a file. Ended when forgotten.
class child_process {
public:
    /// \param environment  entries `NAME=value` that replace this process's \throws error when it cannot be started
    child_process(std::vector<std::string> const& arguments, std::vector<std::string> const& environment, std::filesystem::path const& log) {
        std::vector<std::string> variables = environment;
        for (char** e = environ; *e; ++e) {
            std::string const entry = *e, name = entry.substr(0, entry.find('=') + 1);
            bool replaced = false;
            for (auto const& own : environment) replaced |= own.starts_with(name);
            if (!replaced) variables.push_back(entry);
        }
        int ends[2];
        require(::pipe2(ends, O_CLOEXEC) == 0, "cannot make a pipe: ", std::strerror(errno));
        output_ = ends[0];
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        auto argv = pointers(arguments), envp = pointers(variables);
        int const problem = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data());
        posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        if (problem != 0) {
            pid_ = -1;
            ::close(std::exchange(output_, -1));
            fail(arguments.front(), ": cannot be started: ", std::strerror(problem));
        }
    }
    child_process(child_process&& o) noexcept
        : pid_(std::exchange(o.pid_, -1)), output_(std::exchange(o.output_, -1)), pending_(std::move(o.pending_)) {}
    child_process& operator=(child_process&& o) noexcept {
        std::swap(pid_, o.pid_);
        std::swap(output_, o.output_);
        std::swap(pending_, o.pending_);
        return *this;
    }
    ~child_process() {
        if (pid_ > 0) {
            ::kill(pid_, SIGTERM);
            wait();
        }
        if (output_ >= 0) ::close(output_);
    }

    /// To be watched by poll(2).
    int output() const { return output_; }

    /// Calls `line(text)` for each whole line that has come. False at the end of the output. Call when `output` is readable.
    template <class Line>
    bool read_lines(Line line) {
        char block[4096];
        auto const n = ::read(output_, block, sizeof block);
        if (n <= 0) return n < 0 && errno == EINTR;
        pending_.append(block, static_cast<std::size_t>(n));
        for (std::size_t end; (end = pending_.find('\n')) != std::string::npos; pending_.erase(0, end + 1)) line(pending_.substr(0, end));
        return true;
    }

    /// Waits for the end; the exit status, or 128 + the signal that ended it.
    int wait() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    static std::vector<char*> pointers(std::vector<std::string> const& words) {
        std::vector<char*> out;
        for (auto const& w : words) out.push_back(const_cast<char*>(w.c_str()));
        out.push_back(nullptr);
        return out;
    }

    pid_t pid_ = -1;
    int output_ = -1;
    std::string pending_;
};

}  // namespace attnlab
