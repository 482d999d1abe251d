#pragma once
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>

/// \file
/// Notices at once that a process of this machine has ended, whatever the own one is doing.

namespace attnlab {

/// A thread that sleeps until one of some processes ends (Linux 5.3; watches nothing before) or the watch is over.
class peer_watch {
public:
    struct peer {
        int rank;
        pid_t process;
    };

    /// \param lost  called once, by the thread, with the lowest rank that has ended and the lowest that has not (or `none`)
    peer_watch(std::vector<peer> peers, std::function<void(int ended, int left)> lost) : peers_(std::move(peers)) {
        require(::pipe(over_) == 0, "cannot make a pipe");
        std::sort(peers_.begin(), peers_.end(), [](peer a, peer b) { return a.rank < b.rank; });
        thread_ = std::thread([this, lost = std::move(lost)] { watch(lost); });
    }
    ~peer_watch() {
        ::close(over_[1]);
        thread_.join();
        ::close(over_[0]);
    }
    peer_watch(peer_watch const&) = delete;
    peer_watch& operator=(peer_watch const&) = delete;

    static constexpr int none = -1;

private:
    void watch(std::function<void(int, int)> const& lost) {
        // poll passes over what is negative: a process that has ended already, or cannot be watched.
        std::vector<pollfd> all{{over_[0], 0, 0}};
        for (auto const& p : peers_) all.push_back({static_cast<int>(::syscall(SYS_pidfd_open, p.process, 0)), POLLIN, 0});
        while (::poll(all.data(), all.size(), -1) < 0 && errno == EINTR) {}
        if (all[0].revents == 0) {
            int ended = none, left = none;
            for (std::size_t i = peers_.size(); i-- > 0;) (all[i + 1].revents != 0 ? ended : left) = peers_[i].rank;
            lost(ended, left);
        }
        for (std::size_t i = 1; i < all.size(); ++i)
            if (all[i].fd >= 0) ::close(all[i].fd);
    }

    std::vector<peer> peers_;
    int over_[2];   // a pipe whose other end closes
    std::thread thread_;
};

}  // namespace attnlab
