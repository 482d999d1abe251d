#include <algorithm>
#include <bit>

#include "formats.hpp"
#include "instructions.hpp"

/// \file
/// What the lanes of a warp do together: shuffles, votes, barriers, and products on tensor cores.

namespace simulated {
namespace {

/// shfl.sync to|there, from, by, c, members (PTX ISA, "shfl.sync"): c holds the segment's mask (bits 8 to 12) and the last lane in it (bits 0 to 4).
template <auto Partner>
void shuffle(warp& w, instruction const& i) {
    bool const says = i.count == 6;   // whether there was such a lane
    int const first = says ? 2 : 1;
    std::array<word, lanes> from;
    std::copy_n(w.reg(i, first), lanes, from.begin());
    w.each([&](int l) {
        auto const by = static_cast<int>(w.reg(i, first + 1)[l]);
        auto const c = static_cast<unsigned>(w.reg(i, first + 2)[l]);
        int const segment = static_cast<int>(c >> 8 & 31), most = static_cast<int>(c & 31);
        int const last = (l & segment) | (most & ~segment), begin = l & segment;
        auto const [lane, there] = Partner(l, by, begin, last, segment);
        if (there && !(w.active() >> lane & 1)) throw fault("reads from lane " + std::to_string(lane) + ", which does not take part");
        w.reg(i, 0)[l] = from[static_cast<std::size_t>(there ? lane : l)];
        if (says) w.reg(i, 1)[l] = there;
    });
}
using found = std::pair<int, bool>;

template <bool All>
void vote(warp& w, instruction const& i) {
    bool r = All;
    w.each([&](int l) { r = All ? r && w.reg(i, 1)[l] != 0 : r || w.reg(i, 1)[l] != 0; });
    w.each([&](int l) { w.reg(i, 0)[l] = r; });
}
void ballot(warp& w, instruction const& i) {
    word r = 0;
    w.each([&](int l) { r |= word{w.reg(i, 1)[l] != 0} << l; });
    w.each([&](int l) { w.reg(i, 0)[l] = r; });
}

/// Where the elements of a 16 x K, a K x 8 and a 16 x 8 matrix lie in the registers of a warp: `PerRegister` elements each (PTX ISA, "Matrix fragments for
/// mma.m16n8k16" and "m16n8k8").
template <int K, int PerRegister, class Element>
void multiply(warp& w, instruction const& i, Element element) {
    int const per_lane = 4 * PerRegister;   // of a; b has half as many
    double a[16][K], b[K][8];
    for (int l = 0; l < lanes; ++l) {
        int const g = l / 4, q = l % 4;
        for (int e = 0; e < per_lane; ++e) {
            int const reg = e / PerRegister, inside = e % PerRegister;
            int const row = g + 8 * (reg % 2), column = q * PerRegister + inside + 4 * PerRegister * (reg / 2);
            a[row][column] = element(w.reg(i, 4 + reg)[l], inside);
        }
        for (int e = 0; e < per_lane / 2; ++e) {
            int const reg = e / PerRegister, inside = e % PerRegister;
            b[q * PerRegister + inside + 4 * PerRegister * reg][g] = element(w.reg(i, 8 + reg)[l], inside);
        }
    }
    for (int l = 0; l < lanes; ++l)
        for (int e = 0; e < 4; ++e) {
            int const row = l / 4 + 8 * (e / 2), column = 2 * (l % 4) + e % 2;
            double sum = from_word<float>(w.reg(i, 10 + e)[l]);
            for (int k = 0; k < K; ++k) sum += a[row][k] * b[k][column];
            w.reg(i, e)[l] = as_word(static_cast<float>(sum));
        }
    w.block().count->products += static_cast<std::uint64_t>(16 * 8 * K);
}
void multiply_bfloat16(warp& w, instruction const& i) {
    multiply<16, 2>(w, i, [](word r, int inside) { return static_cast<double>(of_bfloat16(static_cast<std::uint32_t>(r >> 16 * inside))); });
}
void multiply_tf32(warp& w, instruction const& i) {
    multiply<8, 1>(w, i, [](word r, int) { return static_cast<double>(of_tf32(static_cast<std::uint32_t>(r))); });
}

}  // namespace

void add_warp(instruction_table& t) {
    t["shfl.bfly.b32"] = {shuffle<[](int l, int by, int, int last, int) { return found(l ^ by, (l ^ by) <= last); }>, flow::meet};
    t["shfl.up.b32"] = {shuffle<[](int l, int by, int, int last, int) { return found(l - by, l - by >= last); }>, flow::meet};   // its c says 0: the first lane
    t["shfl.down.b32"] = {shuffle<[](int l, int by, int, int last, int) { return found(l + by, l + by <= last); }>, flow::meet};
    t["shfl.idx.b32"] = {shuffle<[](int, int by, int begin, int last, int segment) { return found(begin | (by & ~segment), (begin | (by & ~segment)) <= last); }>, flow::meet};
    t["vote.any.pred"] = {vote<false>, flow::meet};
    t["vote.all.pred"] = {vote<true>, flow::meet};
    t["vote.ballot.b32"] = {ballot, flow::meet};
    t["bar.warp"] = {[](warp& w, instruction const&) { w.meet(); }, flow::meet};
    t["activemask.b32"] = {[](warp& w, instruction const& i) { w.each([&](int l) { w.reg(i, 0)[l] = w.active(); }); }};
    t["bar"] = t["barrier"] = {nullptr, flow::barrier};
    for (std::string const name : {"bar.red", "barrier.red"})
        for (bool const all : {false, true})
            t[name + (all ? ".and.pred" : ".or.pred")] = {all ? meaning{[](warp& w, instruction const& i) { w.vote(i, true); }} : [](warp& w, instruction const& i) { w.vote(i, false); },
                                                          flow::barrier};
    t["mma.m16n8k16.row.col.f32.bf16.bf16.f32"] = {multiply_bfloat16, flow::meet};
    t["mma.m16n8k8.row.col.f32.tf32.tf32.f32"] = {multiply_tf32, flow::meet};
}

known_instruction const* find_instruction(std::string const& name) {
    static instruction_table const table = [] {
        instruction_table t;
        add_memory(t), add_conversions(t), add_warp(t), add_warpgroup(t), add_arithmetic(t);
        return t;
    }();
    auto const at = table.find(name);
    return at == table.end() ? nullptr : &at->second;
}

}  // namespace simulated
