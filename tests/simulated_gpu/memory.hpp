#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "ptx.hpp"

/// \file
/// The memories of a GPU: what the host allocates, and what a block shares, which remembers who touched it.

namespace simulated {

/// A block among all that ever ran: its launch, then its number in it.
struct block_of_launch {
    std::uint32_t launch = 0, block = 0;
    bool operator==(block_of_launch const&) const = default;
};
/// Who of a launch has touched an element of two bytes of global memory: blocks run in any order, so that one may not touch what another writes. Two threads of the host that
/// touch one element at the same moment may miss each other's mark; neither sees one that was not made.
class touched_by_blocks {
public:
    void read(block_of_launch now) {
        check(write_, now, "reads", "writes");
        auto const before = read_.load(std::memory_order_relaxed);
        if (before != now) read_.store(before.launch == now.launch ? block_of_launch{now.launch, several} : now, std::memory_order_relaxed);
    }
    void write(block_of_launch now) {
        check(write_, now, "writes", "writes");
        check(read_, now, "writes", "reads");
        write_.store(now, std::memory_order_relaxed);
    }

private:
    static constexpr std::uint32_t several = ~std::uint32_t{0};
    static void check(std::atomic<block_of_launch> const& mark, block_of_launch now, char const* what, char const* other) {
        auto const before = mark.load(std::memory_order_relaxed);
        if (before.launch != now.launch || before.block == now.block) return;
        throw fault(std::string(what) + " what " + (before.block == several ? "several blocks" : "block " + std::to_string(before.block)) + " of this launch " + other + ", in global memory");
    }
    std::atomic<block_of_launch> write_, read_;
};

/// Where kernels may look: an address elsewhere is a fault, as on a GPU that does not see the host's own memory.
class device_memory {
public:
    struct range {
        word begin = 0, end = 0;
        touched_by_blocks* marks = nullptr;   ///< of each two bytes
    };
    void add(void const* p, std::size_t bytes) {
        // Pages that nobody marks take no memory.
        void* const marks = ::mmap(nullptr, size_of_marks(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (marks == MAP_FAILED) throw fault("no memory for marks");
        word const begin = reinterpret_cast<word>(p);
        std::lock_guard const lock(mutex_);
        ranges_[begin] = {begin, begin + bytes, static_cast<touched_by_blocks*>(marks)};
    }
    void remove(void const* p) {
        std::lock_guard const lock(mutex_);
        auto const at = ranges_.find(reinterpret_cast<word>(p));
        if (at == ranges_.end()) return;
        ::munmap(at->second.marks, size_of_marks(at->second.end - at->second.begin));
        ranges_.erase(at);
    }
    /// The allocation that holds an address; an empty one where none does.
    range around(word address) const {
        std::lock_guard const lock(mutex_);
        auto at = ranges_.upper_bound(address);
        if (at == ranges_.begin()) return {};
        --at;
        return address < at->second.end ? at->second : range{};
    }

private:
    static std::size_t size_of_marks(std::size_t bytes) { return (bytes / 2 + 1) * sizeof(touched_by_blocks); }
    mutable std::mutex mutex_;
    std::map<word, range> ranges_;
};
device_memory& memory_of_device();

/// Who touches an element of shared memory, and when.
struct moment {
    std::uint32_t phase;    ///< barriers of the block so far, over all blocks that this memory has served
    std::uint16_t meeting;  ///< of a warp: bar.warp.sync since its last barrier
    std::uint16_t thread;
};

/// Shared memory of a block, by elements of two bytes. Between two barriers one thread may not touch what another has written, nor write
/// what another has read; threads of a warp may after bar.warp.sync, and may write the same number. What nobody wrote may not be read, nor what a copy that was not waited for will write.
class shared_memory {
public:
    void begin_block(std::size_t bytes) {
        data_.assign(bytes, 0xcd);
        if (touched_.size() < bytes / 2 + 8) touched_.resize(bytes / 2 + 8);
        first_ = ++phase_;
    }
    void barrier() { ++phase_; }
    std::uint32_t phase() const { return phase_; }
    /// fence.proxy.async: what a thread has written by now, the tensor cores of a warpgroup may read after the next barrier.
    void fence(moment now) { ++fences_[now.thread]; }

    /// As tensor cores read it for a warpgroup.
    template <class T>
    T load_after_fence(word at, moment now) {
        T const value = load<T>(at, now);
        auto const& t = touched_[at / 2];
        if (fences_[t.write.thread] == t.fences) throw fault("tensor cores read what thread " + std::to_string(t.write.thread) + " wrote before fence.proxy.async, at byte " + std::to_string(at) + " of shared memory");
        return value;
    }
    template <class T>
    T load(word at, moment now) {
        check(at, sizeof(T));
        for (std::size_t i = 0; i < elements(sizeof(T)); ++i) {
            auto& t = touched_[at / 2 + i];
            if (t.write.phase < first_) throw fault("reads shared memory that nobody has written, at byte " + std::to_string(at));
            if (t.pending) throw fault("reads shared memory before cp.async was waited for, at byte " + std::to_string(at));
            if (conflict(t.write, now)) throw fault(story("reads", "wrote", t.write, at));
            bool const same_phase = t.read.phase == now.phase, same_warp = t.read.thread / lanes == now.thread / lanes;
            t.warps_read = same_phase && (t.warps_read || !same_warp);
            t.lanes_read = same_phase && same_warp && t.read.meeting == now.meeting && (t.lanes_read || t.read.thread != now.thread);
            t.read = now;
        }
        T value;
        std::memcpy(&value, data_.data() + at, sizeof(T));
        return value;
    }
    template <class T>
    void store(word at, T const& value, moment now) {
        check(at, sizeof(T));
        auto const& before = touched_[at / 2].write;   // lanes of a warp that write the same number do no harm
        bool const again = before.phase == now.phase && before.thread / lanes == now.thread / lanes && std::memcmp(data_.data() + at, &value, sizeof(T)) == 0;
        if (again) return;
        note_write(at, sizeof(T), now, false);
        std::memcpy(data_.data() + at, &value, sizeof(T));
    }
    /// A write that is on its way (`pending`), or there.
    void note_write(word at, std::size_t bytes, moment now, bool pending) {
        check(at, bytes);
        for (std::size_t i = 0; i < elements(bytes); ++i) {
            auto& t = touched_[at / 2 + i];
            if (conflict(t.write, now)) throw fault(story("writes", "wrote", t.write, at));
            bool const read_now = t.read.phase == now.phase && (t.warps_read || (t.lanes_read && t.read.meeting == now.meeting));
            if (conflict(t.read, now) || read_now) throw fault(story("writes", "read", t.read, at));
            t.write = now;
            t.fences = fences_[now.thread];
            t.pending = pending;
        }
    }
    void copy_in(word at, void const* from, std::size_t bytes, moment now) {
        for (std::size_t i = 0; i < elements(bytes); ++i) touched_[at / 2 + i].pending = false;
        note_write(at, bytes, now, false);
        std::memcpy(data_.data() + at, from, bytes);
    }

private:
    struct touched {
        moment write{}, read{};
        std::uint32_t fences = 0;   ///< of the thread that wrote, until then
        bool pending = false;
        bool warps_read = false, lanes_read = false;   ///< more than the one that `read` names: warps in its phase, lanes in its meeting
    };
    static std::size_t elements(std::size_t bytes) { return std::max<std::size_t>(1, bytes / 2); }
    bool conflict(moment then, moment now) const {
        if (then.phase < first_ || then.phase != now.phase || then.thread == now.thread) return false;
        return then.thread / lanes != now.thread / lanes || then.meeting == now.meeting;
    }
    void check(word at, std::size_t bytes) const {
        if (at + bytes > data_.size()) throw fault("touches shared memory at byte " + std::to_string(at) + ", where the block has " + std::to_string(data_.size()));
    }
    static std::string story(char const* now, char const* before, moment then, word at) {
        return std::string(now) + " what thread " + std::to_string(then.thread) + " " + before + " since the last barrier, at byte " + std::to_string(at) + " of shared memory";
    }

    std::vector<unsigned char> data_;
    std::vector<touched> touched_;
    std::array<std::uint32_t, 1024> fences_{};
    std::uint32_t phase_ = 0, first_ = 0;
};

}  // namespace simulated
