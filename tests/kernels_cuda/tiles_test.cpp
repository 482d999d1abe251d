// Which tiles a block walks, and which block has them.
#include <set>
#include <tuple>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/library.hpp>
#include <attnlab/kernels/cuda/block_order.hpp>
#include <attnlab/kernels/cuda/tile_walk.hpp>
#ifndef ATTNLAB_TESTS_ON_GPU   // of a GPU's kernels C++ has the declarations alone
#include <attnlab/kernels/cuda/token_rows.hpp>
#endif

#include "kernels/support.hpp"

BOOST_AUTO_TEST_SUITE(tiles)

namespace {

using namespace attnlab;
using gpu::tile_seen;

/// What each pair of a tile says, one by one.
template <class Policy>
tile_seen asked(attention_problem<float> const& p, index_t b, index_t i0, index_t rows, index_t j0, index_t columns) {
    index_t seen = 0;
    for (index_t i = i0; i < std::min(i0 + rows, p.T); ++i)
        for (index_t j = j0; j < std::min(j0 + columns, p.T); ++j) seen += p.visible<Policy>(b, i).sees(j);
    return seen == rows * columns ? tile_seen::all : seen > 0 ? tile_seen::some : tile_seen::none;
}
using masks = std::tuple<causal, full, sliding_window<70>, sink_window<4, 100>, document, dilated_window<3, 50>, both<sliding_window<90>, document>>;

}  // namespace

#ifndef ATTNLAB_TESTS_ON_GPU
BOOST_AUTO_TEST_CASE(blocks_have_as_many_warps_as_heads_and_memory_allow) {
    auto const warps = [](index_t heads, int rows, index_t scratch) {
        gpu::token_parts const parts(1000, heads, rows, scratch, false, 128);
        BOOST_TEST((parts.groups == rows * parts.warps && heads % parts.groups == 0 && parts.count * parts.length >= 1000));
        return parts.warps;
    };
    BOOST_TEST((warps(12, 4, 328) == 3 && warps(32, 4, 648) == 8 && warps(20, 4, 328) == 5 && warps(7, 1, 64) == 7 && warps(4, 4, 328) == 1));
    BOOST_TEST((warps(24, 4, 1288) == 3 && warps(32, 4, 1544) == 2 && warps(4, 4, 10000) == 1));   // heads of 256: six or eight warps would ask for more than a block has
    BOOST_TEST(gpu::token_parts(1000, 12, 1, 64, true, 128).warps == 1);
}
#endif
BOOST_AUTO_TEST_CASE(a_division_is_a_multiplication) {
    for (index_t d : {1, 2, 3, 7, 12, 25, 64, 100, 641, 65535, 65536, 65537, 1000003, 2147483646, 2147483647}) {
        gpu::divisor const by(d);
        BOOST_TEST(by.number() == d);
        for (index_t q = 0; q < 40; ++q)
            for (index_t n : {q * d - 1, q * d, q * d + 1, 2147483647 - q, 2147483647 / d * d - q}) {
                if (n < 0 || n > 2147483647) continue;
                BOOST_TEST_CONTEXT(n << " / " << d) {
                    BOOST_TEST(by.quotient(static_cast<std::uint32_t>(n)) == n / d);
                    BOOST_TEST(by.rest(static_cast<std::uint32_t>(n)) == n % d);
                }
            }
    }
}
BOOST_AUTO_TEST_CASE(every_block_has_a_place) {
    index_t const B = 3, H = 10, turns = 5;
    for (index_t in_cache : {1, 4, 7, 30, 64}) {   // heads that the cache holds
        gpu::block_order const order(B, H, turns, (index_t{16} << 20) / in_cache);
        std::set<std::tuple<index_t, index_t, index_t>> places;
        for (index_t id = 0; id < B * H * turns; ++id) {
            gpu::block_place const at = order(id);
            BOOST_TEST((at.b < B && at.h < H && at.turn < turns));
            BOOST_TEST(places.emplace(at.b, at.h, at.turn).second);
            index_t const heads = std::min(in_cache, B * H), of_group = heads * turns, first = id / of_group * heads, size = std::min(heads, B * H - first);
            BOOST_TEST(at.b * H + at.h == first + id % of_group % size);   // the first blocks of all heads of a group come first
            BOOST_TEST(at.turn == id % of_group / size);
        }
    }
}
BOOST_AUTO_TEST_CASE_TEMPLATE(tiles_are_what_their_pairs_say, Mask, masks) {
    using policy = attention<Mask, softmax>;
    for (index_t T : {1, 63, 64, 200, 2500}) {
        attention_problem<float> p;
        p.B = 2, p.T = T;
        std::vector<index_t> documents;
        for (index_t i = 0; i < p.B * T; ++i) documents.push_back(i % T - i % T % 77);
        if (reads_documents<Mask>) p.documents = documents.data();
        index_t const rows = 64, columns = 32, b = 1, step = T > 1000 ? 512 : 64;
        auto const check = [&](index_t length, auto ask, auto expected) {
            int const count = static_cast<int>(length);
            gpu::seen_tiles<gpu::emulated_warp, decltype(ask)> tiles(count, ask);
            for (int tile = 0; tile < count; ++tile) {
                auto const e = expected(tile);
                BOOST_TEST_CONTEXT("tile " << tile) {
                    bool const stands = !tiles.ended() && tile == tiles.at();
                    BOOST_TEST(stands == (e != tile_seen::none));   // none is left out, none walked in vain
                    if (!stands) continue;
                    bool const whole = tiles.seen() == tile_seen::all;   // one that two ranges see together is not known to be
                    BOOST_TEST((visible_keys<Mask>::range_count == 1 ? whole == (e == tile_seen::all) : !whole || e == tile_seen::all));
                    tiles.step();
                }
            }
            BOOST_TEST(tiles.ended());
        };
        for (index_t own = 0; own < T; own += step)
            BOOST_TEST_CONTEXT("T " << T << ", from " << own) {
                check((T + columns - 1) / columns, [&](int j) { return gpu::what_rows_see<policy>(p, b, own, rows, j * columns, columns); },
                      [&](int j) { return asked<policy>(p, b, own, rows, j * columns, columns); });
                check((T + rows - 1) / rows, [&](int i) { return gpu::what_rows_see<policy>(p, b, i * rows, rows, own, columns); },
                      [&](int i) { return asked<policy>(p, b, i * rows, rows, own, columns); });
            }
    }
}

BOOST_AUTO_TEST_SUITE_END()
