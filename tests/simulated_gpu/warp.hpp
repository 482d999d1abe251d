#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <vector>

#include "memory.hpp"
#include "ptx.hpp"

/// \file
/// Thirty-two threads: their registers, where each is in the program, and a way to run them until all wait.

namespace simulated {

/// What a kernel did, summed over its launches.
struct counts {
    std::uint64_t launches = 0, products = 0, global_sectors = 0, shared_wavefronts = 0, shared_least = 0;
    std::vector<std::uint64_t> executed;   ///< how often a warp did each of the program's instructions
    void operator+=(counts const& o) {
        launches += o.launches, products += o.products, global_sectors += o.global_sectors;
        shared_wavefronts += o.shared_wavefronts, shared_least += o.shared_least;
        executed.resize(std::max(executed.size(), o.executed.size()));
        for (std::size_t i = 0; i < o.executed.size(); ++i) executed[i] += o.executed[i];
    }
    std::uint64_t instructions() const { return std::accumulate(executed.begin(), executed.end(), std::uint64_t{0}); }
};

template <class T>
T from_word(word w) {
    if constexpr (std::is_same_v<T, bool>) return w != 0;
    else if constexpr (std::is_same_v<T, float>) return std::bit_cast<float>(static_cast<std::uint32_t>(w));
    else if constexpr (std::is_same_v<T, double>) return std::bit_cast<double>(w);
    else return static_cast<T>(w);
}
template <class T>
word as_word(T x) {
    if constexpr (std::is_same_v<T, float>) return std::bit_cast<std::uint32_t>(x);
    else if constexpr (std::is_same_v<T, double>) return std::bit_cast<word>(x);
    else if constexpr (std::is_signed_v<T>) return static_cast<word>(static_cast<std::int64_t>(x));
    else return static_cast<word>(x);
}

/// Of addresses without a state space (PTX ISA, "Generic addressing"): those of the host are below.
inline constexpr word shared_window = word{0xa} << 60, local_window = word{0xb} << 60, window_bits = word{0xf} << 60;

struct block_state {
    kernel const* program;
    block_of_launch number;
    std::array<int, 3> threads, blocks, index;
    std::vector<unsigned char> const* arguments;
    shared_memory* shared;
    counts* count;
    std::array<bool, 2> vote_so_far{false, true};   ///< of bar.red.or and .and in this phase
};

class warp {
public:
    enum class state { waits, ended };

    warp(block_state& block, int first_thread);

    /// Runs until all its lanes wait at a barrier or have ended. \throws fault
    state run();
    /// After the barrier; the votes are what bar.red has found.
    void release();

    // What instructions see.
    lane_mask active() const { return active_; }
    word* reg(instruction const& i, int operand) { return registers_.data() + static_cast<std::size_t>(i.at[static_cast<std::size_t>(operand)]) * lanes; }
    block_state& block() { return *block_; }
    template <class F>
    void each(F f) {
        if (active_ == all_lanes)
            for (int l = 0; l < lanes; ++l) f(l);
        else
            for (lane_mask m = active_; m != 0; m &= m - 1) f(std::countr_zero(m));
    }
    moment now(int lane) const { return {block_->shared->phase(), meetings_, static_cast<std::uint16_t>(first_thread_ + lane)}; }
    /// The host's address of a lane's, which it reads or writes. \throws fault
    unsigned char* global(word address, std::size_t bytes, bool writes);
    unsigned char* local(word offset, int lane, std::size_t bytes);
    void meet() { ++meetings_; }
    void vote(instruction const& i, bool all);

    struct copy {
        int lane, bytes, group;
        word to;
        unsigned char const* from;
    };
    std::vector<copy> copies;
    struct product {
        instruction const* asked_by;
        void (*make)(warp&, product const&);
        std::array<word, 9> said;   ///< when it began, by what follows its results
    };
    std::vector<product> products;   ///< of a warpgroup, until they are waited for
    std::size_t committed_products = 0;
    std::array<int, lanes> groups{};   ///< of cp.async, that each lane has committed
    std::array<bool, lanes> carry{};   ///< what add.cc and its kin leave for addc

private:
    struct group {
        int at;
        lane_mask where;
        enum { goes, meets, barrier } doing = goes;
    };
    group* next();
    void step(group& g);
    std::string place(instruction const& i) const;

    block_state* block_;
    int first_thread_;
    std::vector<word> registers_;
    std::vector<unsigned char> local_;
    std::vector<group> groups_;
    lane_mask live_, active_ = 0;
    std::uint16_t meetings_ = 0;
    device_memory::range known_[4];
    int oldest_known_ = 0;
    instruction const* vote_ = nullptr;
    bool vote_all_ = false;
};

}  // namespace simulated
