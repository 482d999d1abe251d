#include <algorithm>

#include "formats.hpp"
#include "instructions.hpp"

/// \file
/// wgmma: four warps multiply 64 rows together (PTX ISA, "Asynchronous warpgroup level matrix instructions"). A warp makes its own 16, when it waits: not before.

namespace simulated {
namespace {

/// A matrix in shared memory, by its descriptor: rows of 128 bytes, eight of which lie one after another, their pieces of 16 bytes swizzled.
struct matrix {
    word base, stride, leading;
    explicit matrix(word d) : base((d & 0x3fff) << 4), stride((d >> 32 & 0x3fff) << 4), leading((d >> 16 & 0x3fff) << 4) {
        if (d >> 62 != 1) throw fault("a matrix descriptor says another swizzling than that of 128 bytes, the only one known to the simulated GPU");
        if (base % 1024 >= 128 || (d >> 49 & 7) != 0) throw fault("a matrix descriptor begins at no multiple of 1024 bytes");
    }
    /// Column `column` of row `row`; columns beyond 64 lie in the next slab.
    word at(int row, int column) const {
        word const a = base + static_cast<word>(row / 8) * stride + static_cast<word>(row % 8) * 128 + static_cast<word>(column % 64) * 2 + static_cast<word>(column / 64) * leading;
        return a ^ (a >> 7 & 7) << 4;
    }
};

/// Of m64nNk16: d, then a (a descriptor or four registers), b, whether to add, signs of a and b, and for each descriptor whether the matrix lies transposed.
template <int N>
struct operands {
    static constexpr int a = N / 2;   ///< as many are d's
    bool in_registers;
    int b;
    explicit operands(instruction const& i) : in_registers(i.count == a + 9), b(a + (in_registers ? 4 : 1)) {}
};

/// d (16 x N of a warp) = a (16 x 16) b (16 x N), added to d where the predicate says so.
template <int N>
void multiply(warp& w, warp::product const& p) {
    constexpr int results = N / 2;
    instruction const& i = *p.asked_by;
    operands<N> const of(i);
    auto const said = [&](int operand) { return p.said[static_cast<std::size_t>(operand - results)]; };
    auto const number = [&](word at) { return static_cast<double>(of_bfloat16(w.block().shared->load_after_fence<std::uint16_t>(at, w.now(0)))); };
    for (int sign = 2; sign < 4; ++sign)
        if (said(of.b + sign) != 1) throw fault("a negated operand is not known");
    int const own = static_cast<int>(w.now(0).thread) / lanes % 4 * 16;
    double a[16][16], b[16][N];
    if (of.in_registers) {
        for (int l = 0; l < lanes; ++l)
            for (int e = 0; e < 8; ++e) a[l / 4 + 8 * (e / 2 % 2)][2 * (l % 4) + e % 2 + 8 * (e / 4)] = static_cast<double>(of_bfloat16(static_cast<std::uint32_t>(w.reg(i, results + e / 2)[l] >> 16 * (e % 2))));
    } else {
        matrix const from(said(results));
        if (said(of.b + 4) != 0) throw fault("a transposed left side is not known");
        for (int row = 0; row < 16; ++row)
            for (int k = 0; k < 16; ++k) a[row][k] = number(from.at(own + row, k));
    }
    matrix const from(said(of.b));
    bool const transposed = said(i.count - 1) != 0;
    for (int k = 0; k < 16; ++k)
        for (int n = 0; n < N; ++n) b[k][n] = number(transposed ? from.at(k, n) : from.at(n, k));
    bool const add = said(of.b + 1) != 0;
    for (int l = 0; l < lanes; ++l)
        for (int e = 0; e < results; ++e) {
            int const row = l / 4 + 8 * (e / 2 % 2), column = 8 * (e / 4) + 2 * (l % 4) + e % 2;
            double sum = add ? from_word<float>(w.reg(i, e)[l]) : 0.0f;
            for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
            w.reg(i, e)[l] = as_word(static_cast<float>(sum));
        }
    w.block().count->products += static_cast<std::uint64_t>(16 * N * 16);
}

/// Descriptors are read now, and so are the scalars; matrices and registers of a when the products are made: until then a program must not change them.
template <int N>
void later(warp& w, instruction const& i) {
    operands<N> const of(i);
    warp::product p{&i, multiply<N>, {}};
    for (int o = of.in_registers ? of.b : of.a; o < i.count; ++o) {
        word const* const x = w.reg(i, o);
        if (std::any_of(x, x + lanes, [&](word e) { return e != x[0]; })) throw fault("operand " + std::to_string(o) + " differs from lane to lane");
        p.said[static_cast<std::size_t>(o - of.a)] = x[0];
    }
    w.products.push_back(p);
}
void wait(warp& w, instruction const& i) {
    if (w.reg(i, 0)[0] != 0) throw fault("to wait for some groups of products only is not known");
    if (w.committed_products != w.products.size()) throw fault("waits for products that were not committed");
    for (auto const& p : w.products) p.make(w, p);
    w.products.clear();
    w.committed_products = 0;
}

}  // namespace

void add_warpgroup(instruction_table& t) {
    t["wgmma.mma_async.m64n64k16.f32.bf16.bf16"] = {later<64>, flow::meet};
    t["wgmma.mma_async.m64n32k16.f32.bf16.bf16"] = {later<32>, flow::meet};
    t["wgmma.fence"] = {[](warp&, instruction const&) {}, flow::meet};
    t["wgmma.commit_group"] = {[](warp& w, instruction const&) { w.committed_products = w.products.size(); }, flow::meet};
    t["wgmma.wait_group"] = {wait, flow::meet};
    t["fence.proxy.async.shared"] = {[](warp& w, instruction const&) { w.each([&](int l) { w.block().shared->fence(w.now(l)); }); }};
}

}  // namespace simulated
