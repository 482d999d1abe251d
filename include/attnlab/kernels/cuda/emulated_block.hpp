#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/lanes.hpp>

/// \file
/// A thread block on the host, as kernels see it: warps one after another, in another order each phase, and shared memory that knows who
/// touched it since the last barrier. What a GPU would leave to chance is an error here: \throws error that says what is missing.

namespace attnlab::gpu {

class emulated_block;

/// `Size` adjacent lanes, a warp or a part of one, in one object. What its lanes do, they do at once.
template <int Size>
class emulated_group {
public:
    static constexpr int size = Size, held = Size;
    template <class T>
    using lanes = lanes_of<T, held>;
    using number = lanes<float>;
    using whole = lanes<int>;
    using flag = lanes<bool>;

    emulated_group(emulated_block& block, int index) : block_(&block), index_(index) {}
    int index() const { return index_; }
    emulated_block& block() const { return *block_; }
    /// How often lanes of this host thread met so far.
    static inline thread_local index_t meetings = 0;

    /// f(lane), lane by lane.
    template <class F>
    static auto each_lane(F f) {
        lanes<decltype(f(0))> r;
        for (int l = 0; l < held; ++l) r.v[l] = f(l);
        return r;
    }
    /// f(lane, i) for each lane: element i of an object's lanes is this one's.
    template <class F>
    static void visit(F f) {
        for (int l = 0; l < held; ++l) f(l, l);
    }
    /// By one lane only.
    template <class F>
    static void once(F f) {
        f();
    }
    /// What lanes wrote before it, all lanes read after it.
    void sync() const;

    /// `op` over lanes whose numbers differ in the bits of `First` / 2, ..., `Last` alone: all of them get the result.
    template <int First, int Last, class T, class Op>
    static lanes<T> butterfly(lanes<T> x, Op op) {
        ++meetings;
        for (int bit = First / 2; bit >= Last; bit /= 2) {
            lanes<T> const old = x;
            for (int l = 0; l < held; ++l) x.v[l] = op(old.v[l], old.v[l ^ bit]);
        }
        return x;
    }
    /// From the lane `by` below; 0 in the first ones.
    template <class T>
    static lanes<T> shifted(lanes<T> const& x, int by) {
        ++meetings;
        lanes<T> r(T(0));
        for (int l = by; l < held; ++l) r.v[l] = x.v[l - by];
        return r;
    }
    static bool any(flag f) { return std::any_of(f.v, f.v + held, [](bool x) { return x; }); }
    static bool all(flag f) { return std::all_of(f.v, f.v + held, [](bool x) { return x; }); }
    /// Bit l is lane l's.
    static std::uint32_t ballot(flag f) {
        std::uint32_t bits = 0;
        for (int l = 0; l < held; ++l) bits |= std::uint32_t{f.v[l]} << l;
        return bits;
    }
    /// The value of one lane.
    template <class T>
    static T of_lane(lanes<T> const& x, int lane) {
        return x.v[lane];
    }
    /// Of the lane that each lane names.
    template <class T>
    static lanes<T> from_lanes(lanes<T> const& x, whole lane) {
        lanes<T> r;
        for (int l = 0; l < held; ++l) r.v[l] = x.v[lane.v[l]];
        return r;
    }

private:
    emulated_block* block_;
    int index_;
};
using emulated_warp = emulated_group<warp_size>;

/// An array in shared memory.
template <class T>
class emulated_shared {
    /// Who touched an element last, and when. A lane of -1 means all of them.
    struct mark {
        int written_in = -1, read_in = -1, step = 0;
        std::int16_t writer = -1, reader = -1, lane = -1;
        bool in_flight = false;
    };

public:
    emulated_shared() = default;
    emulated_shared(emulated_block& block, index_t n) : block_(&block), all_(std::make_shared<state>(n)) {}

    using value_type = T;
    index_t size() const { return static_cast<index_t>(all_->values.size()); }

    /// The elements at `at`, one for each lane, where `in`.
    emulated_warp::lanes<T> get(emulated_warp const& w, emulated_warp::whole at, emulated_warp::flag in = emulated_warp::flag(true)) const {
        emulated_warp::lanes<T> r(T{});
        for (int l = 0; l < warp_size; ++l)
            if (in.v[l]) r.v[l] = read(w, at.v[l], l);
        return r;
    }
    void put(emulated_warp const& w, emulated_warp::whole at, emulated_warp::lanes<T> x, emulated_warp::flag in = emulated_warp::flag(true)) const {
        for (int l = 0; l < warp_size; ++l)
            if (in.v[l]) write(w, at.v[l], l) = x.v[l];
    }
    /// One element that all lanes read.
    T one(emulated_warp const& w, index_t at) const { return read(w, at, -1); }
    /// Elements first, first + 1, ... as plain memory: what is done with them is done by all lanes.
    template <int Size>
    T const* reads(emulated_group<Size> const& w, index_t first, index_t n) const {
        for (index_t i = first; i < first + n; ++i) read(w, i, -1);
        return all_->values.data() + first;
    }
    template <int Size>
    T* writes(emulated_group<Size> const& w, index_t first, index_t n) const {
        for (index_t i = first; i < first + n; ++i) write(w, i, -1);
        return all_->values.data() + first;
    }
    /// Sixteen bytes a lane from global memory, which are there after `wait` and a barrier.
    inline void copy_async(emulated_warp const& w, emulated_warp::whole at, emulated_warp::lanes<T const*> from,
                           emulated_warp::flag in = emulated_warp::flag(true)) const;

private:
    struct state {
        explicit state(index_t n) : values(static_cast<std::size_t>(n)), marks(static_cast<std::size_t>(n)) {}
        std::vector<T> values;
        std::vector<mark> marks;
    };
    template <int Size>
    T& read(emulated_group<Size> const& w, index_t at, int lane) const;
    template <int Size>
    T& write(emulated_group<Size> const& w, index_t at, int lane) const;
    mark& mark_of(index_t at) const {
        require(0 <= at && at < size(), "shared memory: element ", at, " of ", size());
        return all_->marks[static_cast<std::size_t>(at)];
    }

    emulated_block* block_ = nullptr;
    std::shared_ptr<state> all_;
};

class emulated_block {
public:
    using warp = emulated_warp;
    template <class Products>
    static constexpr bool has_warpgroups = false;
    template <class T>
    using shared_array = emulated_shared<T>;
    /// State of each warp that outlives a phase: registers.
    template <class State>
    struct per_warp {
        explicit per_warp(emulated_block const& b) : all(static_cast<std::size_t>(b.warps_)) {}
        template <int Size>
        State& operator[](emulated_group<Size> const& of_warp) { return all[static_cast<std::size_t>(of_warp.index() * Size / warp_size)]; }
        std::vector<State> all;
    };

    emulated_block(int warps, index_t shared_bytes, std::uint32_t seed) : warps_(warps), room_(shared_bytes), order_(seed | 1) {}
    emulated_block(emulated_block const&) = delete;
    emulated_block& operator=(emulated_block const&) = delete;

    int warps() const { return warps_; }
    /// An array of n elements, on 16 bytes.
    template <class T>
    emulated_shared<T> shared(index_t n) {
        used_ += (n * static_cast<index_t>(sizeof(T)) + 15) / 16 * 16;
        require(used_ <= room_, "shared memory: the kernel asked for ", room_, " bytes and uses ", used_);
        return {*this, n};
    }
    /// A phase: `body(warp)` by every warp, then a barrier.
    template <class Body>
    void each_warp(Body body) {
        each_group<warp_size>(body);
    }
    /// The same by every group of `Size` lanes; to shared memory groups of a phase are as foreign to one another as warps. Those of a warp
    /// meet at the same places, or a GPU would hang.
    template <int Size, class Body>
    void each_group(Body body) {
        constexpr int of_warp = warp_size / Size;
        int const groups = warps_ * of_warp;
        std::vector<index_t> met(static_cast<std::size_t>(warps_), -1);
        std::vector<int> order(static_cast<std::size_t>(groups));
        for (int i = 0; i < groups; ++i) order[static_cast<std::size_t>(i)] = i;
        for (int i = groups - 1; i > 0; --i) {   // another order each phase
            order_ = order_ * 1664525u + 1013904223u;
            std::swap(order[static_cast<std::size_t>(i)], order[(order_ >> 8) % static_cast<std::uint32_t>(i + 1)]);
        }
        for (int i : order) {
            step_ = 0;
            emulated_group<Size>::meetings = 0;
            body(emulated_group<Size>(*this, i));
            index_t& of_others = met[static_cast<std::size_t>(i / of_warp)];
            require(of_others < 0 || of_others == emulated_group<Size>::meetings, "the groups of warp ", i / of_warp, " part: lanes of one meet where those of another do not");
            of_others = emulated_group<Size>::meetings;
        }
        ++phase_;
    }
    /// A phase in which every warp asks f(warp): whether any of them says yes, known to all.
    template <class F>
    bool any_warp(F f) {
        bool found = false;
        each_warp([&](warp const& w) { found = f(w) || found; });
        return found;
    }

    /// Asynchronous copies, in groups of each warp: the next group begins; wait until at most `left` groups are under way.
    void commit(warp const& w) { of(w).emplace_back(); }
    void wait(warp const& w, int left) {
        auto& groups = of(w);
        while (static_cast<int>(groups.size()) > left + 1) {
            for (auto const& land : groups.front()) land->land(phase_);
            groups.pop_front();
        }
    }

    static void publish(warp const&) {}   // of a device's memory alone

    int phase() const { return phase_; }
    int step() const { return step_; }
    void next_step() { ++step_; }
    struct copy {
        virtual ~copy() = default;
        virtual void land(int phase) = 0;
    };
    void under_way(warp const& w, std::unique_ptr<copy> c) { of(w).back().push_back(std::move(c)); }

private:
    std::deque<std::vector<std::unique_ptr<copy>>>& of(warp const& w) {
        copies_.resize(static_cast<std::size_t>(warps_));
        auto& groups = copies_[static_cast<std::size_t>(w.index())];
        if (groups.empty()) groups.emplace_back();
        return groups;
    }

    int warps_;
    index_t room_, used_ = 0;
    std::uint32_t order_;
    int phase_ = 0, step_ = 0;
    std::vector<std::deque<std::vector<std::unique_ptr<copy>>>> copies_;
};

template <int Size>
void emulated_group<Size>::sync() const {
    ++meetings;
    block_->next_step();
}

template <class T>
template <int Size>
T& emulated_shared<T>::read(emulated_group<Size> const& w, index_t at, int lane) const {
    mark& m = mark_of(at);
    require(!m.in_flight, "shared memory: element ", at, " is read while an asynchronous copy is under way");
    require(m.written_in >= 0, "shared memory: element ", at, " is read and nobody wrote it");
    if (m.written_in == block_->phase()) {
        require(m.writer == w.index(), "shared memory: element ", at, ": warp ", w.index(), " reads what warp ", m.writer, " wrote: a barrier is missing");
        require(m.step != block_->step() || (lane >= 0 && lane == m.lane), "shared memory: element ", at, ": a lane reads what another one wrote: the warp must sync");
    }
    m.reader = static_cast<std::int16_t>(m.read_in == block_->phase() && m.reader != w.index() ? -2 : w.index());
    m.read_in = block_->phase();
    return all_->values[static_cast<std::size_t>(at)];
}
template <class T>
template <int Size>
T& emulated_shared<T>::write(emulated_group<Size> const& w, index_t at, int lane) const {
    mark& m = mark_of(at);
    require(!m.in_flight, "shared memory: element ", at, " is written while an asynchronous copy is under way");
    if (m.written_in == block_->phase()) {
        require(m.writer == w.index(), "shared memory: element ", at, ": warps ", w.index(), " and ", m.writer, " both write it");
        require(m.step != block_->step() || m.lane == lane, "shared memory: element ", at, ": two lanes of a warp write it");
    }
    require(m.read_in != block_->phase() || m.reader == w.index(), "shared memory: element ", at, ": warp ", w.index(), " overwrites what another warp reads: a barrier is missing");
    m.written_in = block_->phase(), m.step = block_->step();
    m.writer = static_cast<std::int16_t>(w.index()), m.lane = static_cast<std::int16_t>(lane);
    return all_->values[static_cast<std::size_t>(at)];
}
template <class T>
void emulated_shared<T>::copy_async(emulated_warp const& w, emulated_warp::whole at, emulated_warp::lanes<T const*> from, emulated_warp::flag in) const {
    constexpr int n = 16 / sizeof(T);
    struct landing final : emulated_block::copy {
        std::shared_ptr<state> to;
        T const* from;
        index_t first;
        void land(int phase) override {   // whoever waited knows it now, the other warps from the next phase on
            for (index_t i = first; i < first + n; ++i) {
                to->values[static_cast<std::size_t>(i)] = from[i - first];
                mark& m = to->marks[static_cast<std::size_t>(i)];
                m.in_flight = false, m.written_in = phase, m.step = -1;
            }
        }
    };
    for (int l = 0; l < warp_size; ++l) {
        if (!in.v[l]) continue;
        require(at.v[l] % n == 0, "shared memory: an asynchronous copy to element ", at.v[l], ", which does not begin 16 bytes");
        for (int i = 0; i < n; ++i) {
            write(w, at.v[l] + i, l);
            mark_of(at.v[l] + i).in_flight = true;
        }
        auto c = std::make_unique<landing>();
        c->to = all_, c->from = from.v[l], c->first = at.v[l];
        block_->under_way(w, std::move(c));
    }
}

}  // namespace attnlab::gpu
