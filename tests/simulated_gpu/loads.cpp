#include <algorithm>
#include <bit>
#include <cstring>

#include "instructions.hpp"

/// \file
/// ld, st, cp.async, ldmatrix and what makes addresses. A memory access of a warp also counts what it costs: sectors of 32 bytes of global
/// memory, and turns of the 32 banks of shared memory, beside the least that its bytes need.

namespace simulated {
namespace {

enum class space { global, shared, local, parameter, generic };

/// What the lanes name by operand `operand`, which is the `which`th address of the instruction.
std::array<word, lanes> addresses(warp& w, instruction const& i, int operand, int which = 0) {
    std::array<word, lanes> at{};
    word const* const base = w.reg(i, operand);
    w.each([&](int l) { at[static_cast<std::size_t>(l)] = base[l] + static_cast<word>(i.offset[static_cast<std::size_t>(which)]); });
    return at;
}

void count_global(warp& w, std::array<word, lanes> const& at, std::size_t bytes) {
    std::array<word, 4 * lanes> sectors;
    std::size_t n = 0;
    w.each([&](int l) {
        for (word s = at[static_cast<std::size_t>(l)] / 32; s <= (at[static_cast<std::size_t>(l)] + bytes - 1) / 32; ++s) sectors[n++] = s;
    });
    std::sort(sectors.begin(), sectors.begin() + static_cast<std::ptrdiff_t>(n));
    w.block().count->global_sectors += static_cast<std::uint64_t>(std::unique(sectors.begin(), sectors.begin() + static_cast<std::ptrdiff_t>(n)) - sectors.begin());
}
/// Lanes go together as long as they ask for 128 bytes; each bank gives one word of four bytes a turn.
void count_shared(warp& w, std::array<word, lanes> const& at, std::size_t bytes) {
    int const together = static_cast<int>(std::min<std::size_t>(lanes, 128 / bytes));
    for (int first = 0; first < lanes; first += together) {
        std::array<word, 2 * lanes> words;
        std::size_t n = 0;
        for (int l = first; l < first + together; ++l)
            if (w.active() >> l & 1)
                for (word b = at[static_cast<std::size_t>(l)] / 4; b <= (at[static_cast<std::size_t>(l)] + bytes - 1) / 4; ++b) words[n++] = b;
        if (n == 0) continue;
        std::sort(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n));
        auto const end = std::unique(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n));
        std::array<int, 32> of_bank{};
        for (auto p = words.begin(); p != end; ++p) ++of_bank[*p % 32];
        w.block().count->shared_wavefronts += static_cast<std::uint64_t>(*std::max_element(of_bank.begin(), of_bank.end()));
        w.block().count->shared_least += static_cast<std::uint64_t>((end - words.begin() + 31) / 32);
    }
}

template <class T>
T read(unsigned char const* p) {
    T value;
    std::memcpy(&value, p, sizeof(T));
    return value;
}

/// Where a lane's access lies: a generic address says its space itself.
template <space S>
std::pair<space, word> placed(word a) {
    if constexpr (S != space::generic) return {S, a};
    if ((a & window_bits) == shared_window) return {space::shared, a & ~window_bits};
    if ((a & window_bits) == local_window) return {space::local, a & ~window_bits};
    return {space::global, a};
}
template <space S>
void count(warp& w, std::array<word, lanes> const& at, std::size_t bytes) {
    if (!w.active()) return;
    auto const where = placed<S>(at[static_cast<std::size_t>(std::countr_zero(w.active()))]).first;   // one for all lanes
    if (where == space::global) count_global(w, at, bytes);
    if (where == space::shared) count_shared(w, at, bytes);
}

/// {registers}, [address]
template <class T, space S>
void load(warp& w, instruction const& i) {
    int const n = i.count - 1;
    std::size_t const bytes = sizeof(T) * static_cast<std::size_t>(n);
    auto const at = addresses(w, i, n);
    count<S>(w, at, bytes);
    w.each([&](int l) {
        auto const [where, a] = placed<S>(at[static_cast<std::size_t>(l)]);
        unsigned char const* p = nullptr;
        if (where == space::global) p = w.global(a, bytes, false);
        if (where == space::local) p = w.local(a, l, bytes);
        if (where == space::parameter) {
            if (a + bytes > w.block().arguments->size()) throw fault("reads beyond the kernel's arguments");
            p = w.block().arguments->data() + a;
        }
        if (where == space::shared && a % bytes != 0) throw fault("the address is no multiple of " + std::to_string(bytes));
        for (int e = 0; e < n; ++e) {
            auto const offset = static_cast<std::size_t>(e) * sizeof(T);
            w.reg(i, e)[l] = as_word<T>(where == space::shared ? w.block().shared->load<T>(a + offset, w.now(l)) : read<T>(p + offset));
        }
    });
}
/// [address], {registers}
template <class T, space S>
void store(warp& w, instruction const& i) {
    int const n = i.count - 1;
    std::size_t const bytes = sizeof(T) * static_cast<std::size_t>(n);
    auto const at = addresses(w, i, 0);
    count<S>(w, at, bytes);
    w.each([&](int l) {
        auto const [where, a] = placed<S>(at[static_cast<std::size_t>(l)]);
        unsigned char* p = nullptr;
        if (where == space::global) p = w.global(a, bytes, true);
        if (where == space::local) p = w.local(a, l, bytes);
        if (where == space::shared && a % bytes != 0) throw fault("the address is no multiple of " + std::to_string(bytes));
        for (int e = 0; e < n; ++e) {
            T const value = from_word<T>(w.reg(i, e + 1)[l]);
            auto const offset = static_cast<std::size_t>(e) * sizeof(T);
            if (where == space::shared) w.block().shared->store(a + offset, value, w.now(l));
            else std::memcpy(p + offset, &value, sizeof(T));
        }
    });
}

template <class T>
void add_type(instruction_table& t, std::string const& type) {
    for (std::string const vector : {"", "v2.", "v4."}) {
        t["ld.global." + vector + type] = t["ld.const." + vector + type] = {load<T, space::global>};
        t["ld.shared." + vector + type] = {load<T, space::shared>};
        t["ld.local." + vector + type] = {load<T, space::local>};
        t["ld.param." + vector + type] = {load<T, space::parameter>};
        t["ld." + vector + type] = {load<T, space::generic>};
        t["st.global." + vector + type] = {store<T, space::global>};
        t["st.shared." + vector + type] = {store<T, space::shared>};
        t["st.local." + vector + type] = {store<T, space::local>};
        t["st." + vector + type] = {store<T, space::generic>};
    }
}

/// cp.async [shared], [global], bytes: comes as late as it may, when it is waited for.
void copy_async(warp& w, instruction const& i) {
    auto const all_to = addresses(w, i, 0), all_from = addresses(w, i, 1, 1);
    w.each([&](int l) {
        word const to = all_to[static_cast<std::size_t>(l)], from = all_from[static_cast<std::size_t>(l)];
        int const bytes = static_cast<int>(w.reg(i, 2)[l]);
        if (to % static_cast<word>(bytes) != 0) throw fault("the address is no multiple of " + std::to_string(bytes));
        auto const* const p = w.global(from, static_cast<std::size_t>(bytes), false);
        w.block().shared->note_write(to, static_cast<std::size_t>(bytes), w.now(l), true);
        w.block().count->global_sectors += from % 32 == 0 || bytes > 16 ? 1 : 0;   // two pieces of 16 bytes a sector
        w.copies.push_back({l, bytes, w.groups[static_cast<std::size_t>(l)], to, p});
    });
}
void commit(warp& w, instruction const&) {
    w.each([&](int l) { ++w.groups[static_cast<std::size_t>(l)]; });
}
/// All but the `left` groups that were committed last.
void wait_for_copies(warp& w, lane_mask whose, int left) {
    std::erase_if(w.copies, [&](warp::copy const& c) {
        if (!(whose >> c.lane & 1) || c.group >= w.groups[static_cast<std::size_t>(c.lane)] - left) return false;
        w.block().shared->copy_in(c.to, c.from, static_cast<std::size_t>(c.bytes), w.now(c.lane));
        return true;
    });
}
void wait_group(warp& w, instruction const& i) { wait_for_copies(w, w.active(), static_cast<int>(w.reg(i, 0)[0])); }
void wait_all(warp& w, instruction const& i) {
    commit(w, i);
    wait_for_copies(w, w.active(), 0);
}

/// Four matrices of 8 x 8 elements of 16 bits; lane 8 m + r names row r of matrix m, and gets two elements that lie side by side of its row l / 4
/// (transposed: of its column) of each (PTX ISA, "ldmatrix").
template <bool Transposed>
void load_matrices(warp& w, instruction const& i) {
    auto const at = addresses(w, i, 4);
    count_shared(w, at, 16);
    for (int m = 0; m < 4; ++m)
        for (int l = 0; l < lanes; ++l) {
            std::uint32_t pair = 0;
            for (int e = 0; e < 2; ++e) {
                int const row = Transposed ? 2 * (l % 4) + e : l / 4, column = Transposed ? l / 4 : 2 * (l % 4) + e;
                word const a = at[static_cast<std::size_t>(8 * m + row)];
                if (a % 16 != 0) throw fault("the address is no multiple of 16");
                pair |= static_cast<std::uint32_t>(w.block().shared->load<std::uint16_t>(a + 2 * static_cast<word>(column), w.now(l))) << 16 * e;
            }
            w.reg(i, m)[l] = pair;
        }
}

}  // namespace

void add_memory(instruction_table& t) {
    add_type<std::uint8_t>(t, "u8"), add_type<std::uint8_t>(t, "b8"), add_type<std::int8_t>(t, "s8");
    add_type<std::uint16_t>(t, "u16"), add_type<std::uint16_t>(t, "b16"), add_type<std::int16_t>(t, "s16");
    add_type<std::uint32_t>(t, "u32"), add_type<std::uint32_t>(t, "b32"), add_type<std::int32_t>(t, "s32"), add_type<float>(t, "f32");
    add_type<std::uint64_t>(t, "u64"), add_type<std::uint64_t>(t, "b64"), add_type<std::int64_t>(t, "s64"), add_type<double>(t, "f64");
    t["cvta.global.u64"] = t["cvta.to.global.u64"] = t["cvta.const.u64"] = t["cvta.to.const.u64"] = {lanewise<[](word a) { return a; }>};
    t["cvta.param.u64"] = t["cvta.to.param.u64"] = {lanewise<[](word a) { return a; }>};
    t["cvta.shared.u64"] = {lanewise<[](word a) { return a | shared_window; }>};
    t["cvta.local.u64"] = {lanewise<[](word a) { return a | local_window; }>};
    t["cvta.to.shared.u64"] = t["cvta.to.local.u64"] = {lanewise<[](word a) { return a & ~window_bits; }>};
    t["isspacep.shared"] = {lanewise<[](word a) { return (a & window_bits) == shared_window; }>};
    t["cp.async.cg.shared.global"] = t["cp.async.ca.shared.global"] = {copy_async};
    t["cp.async.commit_group"] = {commit};
    t["cp.async.wait_group"] = {wait_group};
    t["cp.async.wait_all"] = {wait_all};
    t["ldmatrix.m8n8.x4.shared.b16"] = {load_matrices<false>, flow::meet};
    t["ldmatrix.m8n8.x4.trans.shared.b16"] = {load_matrices<true>, flow::meet};
    t["prefetch.global.L2"] = {[](warp&, instruction const&) {}};
}

}  // namespace simulated
