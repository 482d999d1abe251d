#pragma once
#include <cstddef>
#include <functional>
#include <span>
#include <string>

/// \file
/// The processes that train one model together (docs/distributed.md): what the trainer asks of them, whoever carries the numbers. `one_rank`
/// is a process alone; train/mpi_ranks.hpp and train/nccl_ranks.hpp carry.

namespace attnlab {

/// The processes as one of them sees them. Every call but rank() and size() is made by all of them, in the same order.
/// Calls throw `error` when numbers can not be carried.
class ranks {
public:
    virtual ~ranks() = default;
    virtual int rank() const = 0;   ///< 0 speaks, writes and measures
    virtual int size() const = 0;

    /// Whether a sum that begins waits by itself for the kernels that fill its numbers; else they must be done.
    virtual bool follows_kernels() const { return false; }
    /// Begins to replace the numbers, which lie where the device has its gradients, by their sum over the ranks: the same bits on each.
    /// Until `finish_sums` they are nobody's.
    virtual void begin_sum(std::span<float> x) = 0;
    virtual void begin_sum(std::span<double> x) = 0;
    /// Helps what was begun along, where nobody else does.
    virtual void progress() {}
    virtual void finish_sums() = 0;

    /// Replaces a few numbers of the host by their sum.
    virtual void sum(std::span<double> x) = 0;
    /// Gives everybody the bytes of rank 0.
    virtual void broadcast(std::span<std::byte> x) = 0;
    /// Rank 0 does something; the others sleep until it is done. \throws what it throws on rank 0, `error` on the others
    virtual void first_alone(std::function<void()> const& work) = 0;

    /// What is said, from now on, of a rank that is lost: "rank 1 was lost " and this.
    virtual void if_lost(std::string) {}
    /// Seconds spent in `finish_sums`: what the backward did not hide.
    virtual double seconds_waited() const { return 0; }
};

/// A process alone.
class one_rank final : public ranks {
public:
    int rank() const override { return 0; }
    int size() const override { return 1; }
    bool follows_kernels() const override { return true; }
    void begin_sum(std::span<float>) override {}
    void begin_sum(std::span<double>) override {}
    void finish_sums() override {}
    void sum(std::span<double>) override {}
    void broadcast(std::span<std::byte>) override {}
    void first_alone(std::function<void()> const& work) override { work(); }
};

/// Who trains where nothing else is said.
inline one_rank nobody_else;

/// A value of rank 0 for everybody. `T` is plain data.
template <class T>
void broadcast(ranks& all, std::span<T> x) {
    all.broadcast(std::as_writable_bytes(x));
}
inline void broadcast(ranks& all, std::string& x) {
    std::size_t size = x.size();
    broadcast(all, std::span(&size, 1));
    x.resize(size);
    broadcast(all, std::span(x));
}

}  // namespace attnlab
