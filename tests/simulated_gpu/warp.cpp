#include "warp.hpp"

#include <algorithm>

namespace simulated {

warp::warp(block_state& block, int first_thread) : block_(&block), first_thread_(first_thread) {
    auto const& k = *block.program;
    registers_.assign(static_cast<std::size_t>(k.slots) * lanes, 0);
    for (auto const& [slot, value] : k.constants) std::fill_n(registers_.begin() + slot * lanes, lanes, value);
    auto const all = [&](int slot, int value) { std::fill_n(registers_.begin() + slot * lanes, lanes, static_cast<word>(value)); };
    for (int d = 0; d < 3; ++d) {
        auto const e = static_cast<std::size_t>(d);
        all(ntid_x + d, block.threads[e]), all(ctaid_x + d, block.index[e]), all(nctaid_x + d, block.blocks[e]);
    }
    int const count = block.threads[0] * block.threads[1] * block.threads[2];
    for (int l = 0; l < lanes; ++l) {
        int const t = first_thread + l;
        auto const set = [&](int slot, int value) { registers_[static_cast<std::size_t>(slot * lanes + l)] = static_cast<word>(value); };
        set(tid_x, t % block.threads[0]), set(tid_y, t / block.threads[0] % block.threads[1]), set(tid_z, t / (block.threads[0] * block.threads[1]));
        set(laneid, l);
    }
    live_ = count - first_thread >= lanes ? all_lanes : (lane_mask{1} << (count - first_thread)) - 1;
    groups_.push_back({0, live_});
    local_.assign(k.local * lanes, 0);
}

std::string warp::place(instruction const& i) const {
    return "block " + std::to_string(block_->index[0]) + ", warp " + std::to_string(first_thread_ / lanes) + ", at \"" + i.text + "\": ";
}

/// Lanes that are furthest back go first, so that those that parted come together where their ways do.
warp::group* warp::next() {
    for (std::size_t a = 0; a < groups_.size(); ++a)
        for (std::size_t b = groups_.size(); b-- > a + 1;)
            if (groups_[a].at == groups_[b].at) {
                groups_[a].where |= groups_[b].where;
                if (groups_[a].doing == group::meets) groups_[a].doing = group::goes;   // perhaps all are there
                groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(b));
            }
    group* first = nullptr;
    for (auto& g : groups_)
        if (g.doing == group::goes && (!first || g.at < first->at)) first = &g;
    return first;
}

warp::state warp::run() {
    while (group* g = next()) step(*g);
    for (auto const& g : groups_)
        if (g.doing == group::meets) throw fault(place(block_->program->code[static_cast<std::size_t>(g.at)]) + "only some lanes of a warp come here");
    return groups_.empty() ? state::ended : state::waits;
}

void warp::step(group& g) {
    auto const& code = block_->program->code;
    int limit = static_cast<int>(code.size());   // where the next of the others waits
    for (auto const& other : groups_)
        if (&other != &g && other.at > g.at) limit = std::min(limit, other.at);
    for (;;) {
        auto const& i = code[static_cast<std::size_t>(g.at)];
        active_ = g.where;
        if (i.guard >= 0) {
            word const* const p = registers_.data() + static_cast<std::size_t>(i.guard) * lanes;
            lane_mask on = 0;
            for (int l = 0; l < lanes; ++l) on |= static_cast<lane_mask>((p[l] != 0) != i.unless) << l;
            active_ &= on;
        }
        ++block_->count->executed[static_cast<std::size_t>(g.at)];
        lane_mask const takes = active_;
        switch (i.then) {
        case flow::next:
        case flow::meet:
            if (i.then == flow::meet && g.where != live_) {
                g.doing = group::meets;
                return;
            }
            if (!i.does) throw fault(place(i) + "this instruction is not known to the simulated GPU");
            if (takes != 0) {
                try {
                    i.does(*this, i);
                } catch (fault const& f) {
                    std::string const line = f.what();
                    throw fault(line.starts_with("block ") ? line : place(i) + line);
                }
            }
            ++g.at;
            break;
        case flow::branch:
            if (takes == g.where) {
                g.at = i.target;
                limit = -1;
            } else if (takes == 0) {
                ++g.at;
            } else {
                g.where &= ~takes;
                ++g.at;
                groups_.push_back({i.target, takes});
                return;
            }
            break;
        case flow::exit:
            live_ &= ~takes;
            if (takes == g.where) {
                groups_.erase(groups_.begin() + (&g - groups_.data()));
                return;
            }
            g.where &= ~takes;
            ++g.at;
            break;
        case flow::barrier:
            if (g.where != live_) {
                g.doing = group::meets;
                return;
            }
            if (i.does) i.does(*this, i);
            g.doing = group::barrier;
            ++g.at;
            return;
        }
        if (g.at >= limit) return;
    }
}

void warp::release() {
    meetings_ = 0;
    for (auto& g : groups_) g.doing = group::goes;
    if (vote_) {
        std::fill_n(reg(*vote_, 0), lanes, static_cast<word>(block_->vote_so_far[vote_all_]));
        vote_ = nullptr;
    }
}

void warp::vote(instruction const& i, bool all) {
    vote_ = &i, vote_all_ = all;
    word const* const p = reg(i, 2);
    each([&](int l) {
        block_->vote_so_far[0] = block_->vote_so_far[0] || p[l] != 0;
        block_->vote_so_far[1] = block_->vote_so_far[1] && p[l] != 0;
    });
}

unsigned char* warp::global(word address, std::size_t bytes, bool writes) {
    if (address % bytes != 0) throw fault("the address is no multiple of " + std::to_string(bytes));
    auto const holds = [&](device_memory::range const& r) { return address >= r.begin && address + bytes <= r.end; };
    auto const touched = [&](device_memory::range const& r) {
        for (word at = (address - r.begin) / 2; at <= (address - r.begin + bytes - 1) / 2; ++at) writes ? r.marks[at].write(block_->number) : r.marks[at].read(block_->number);
        return reinterpret_cast<unsigned char*>(address);
    };
    for (auto const& r : known_)
        if (holds(r)) return touched(r);
    auto const r = memory_of_device().around(address);
    if (!holds(r)) {
        char text[40];
        std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
        throw fault(std::string("the address ") + text + " is in no memory of the device");
    }
    known_[oldest_known_++ % 4] = r;
    return touched(r);
}

unsigned char* warp::local(word offset, int lane, std::size_t bytes) {
    auto const size = block_->program->local;
    if (offset + bytes > size) throw fault("touches local memory at byte " + std::to_string(offset) + ", where a thread has " + std::to_string(size));
    return local_.data() + static_cast<std::size_t>(lane) * size + offset;
}

}  // namespace simulated
