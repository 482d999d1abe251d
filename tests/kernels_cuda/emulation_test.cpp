// The host's thread blocks say what is wrong with a kernel that a GPU might run rightly by chance.
#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cuda/emulated_products.hpp>
#include <attnlab/kernels/cuda/launch.hpp>

#include "kernels/support.hpp"

BOOST_AUTO_TEST_SUITE(emulation)

namespace {

using namespace attnlab;
using gpu::emulated_block, gpu::emulated_warp;

/// A kernel of two warps whose program is a test's.
template <class Program>
struct tried {
    static constexpr int warps = 2;
    Program program;
    index_t shared_bytes() const { return 1024; }
    template <class Block>
    void operator()(Block& block, index_t) const {
        program(block);
    }
};
template <class Program>
std::string said_of(Program program) {   // what the emulation says
    try {
        gpu::launch(emulated_cuda{}, tried<Program>{program}, 3);
    } catch (error const& e) {
        return e.what();
    }
    return "";
}
bool says(std::string const& text, char const* words) { return text.find(words) != text.npos; }
auto const lanes = emulated_warp::each_lane([](int l) { return l; });
emulated_warp::lanes<float> const ones(1.0f);

}  // namespace

BOOST_AUTO_TEST_CASE(a_sound_kernel) {
    BOOST_TEST(said_of([](emulated_block& block) {
                   auto const x = block.shared<float>(64);
                   block.each_warp([&](auto const& w) { x.put(w, lanes + emulated_warp::whole(32 * w.index()), ones); });
                   block.each_warp([&](auto const& w) { x.get(w, lanes + emulated_warp::whole(32 * (1 - w.index()))); });
               }) == "");
}
BOOST_AUTO_TEST_CASE(a_barrier_is_missing) {
    BOOST_TEST(says(said_of([](emulated_block& block) {
                        auto const x = block.shared<float>(64);
                        block.each_warp([&](auto const& w) { x.put(w, lanes + emulated_warp::whole(32 * w.index()), ones); });
                        block.each_warp([&](auto const& w) {
                            x.get(w, lanes + emulated_warp::whole(32 * (1 - w.index())));
                            x.put(w, lanes + emulated_warp::whole(32 * w.index()), ones);
                        });
                    }),
                    "barrier is missing"));
}
BOOST_AUTO_TEST_CASE(two_warps_write_one_element) {
    BOOST_TEST(says(said_of([](emulated_block& block) {
                        auto const x = block.shared<float>(32);
                        block.each_warp([&](auto const& w) { x.put(w, lanes, ones); });
                    }),
                    "both write it"));
}
BOOST_AUTO_TEST_CASE(lanes_of_a_warp_must_sync) {
    auto const turned = emulated_warp::each_lane([](int l) { return 31 - l; });
    auto const program = [=](bool syncs) {
        return said_of([=](emulated_block& block) {
            auto const x = block.shared<float>(64);
            block.each_warp([&](auto const& w) {
                emulated_warp::whole const first(32 * w.index());
                x.put(w, first + lanes, ones);
                if (syncs) w.sync();
                x.get(w, first + turned);
            });
        });
    };
    BOOST_TEST(program(true) == "");
    BOOST_TEST(says(program(false), "the warp must sync"));
}
BOOST_AUTO_TEST_CASE(parts_of_a_warp) {
    auto const writes = [](index_t own) {   // what a group of 8 lanes writes, which begin `own` apart
        return said_of([=](emulated_block& block) {
            auto const x = block.shared<float>(64);
            block.each_group<8>([&](auto const& g) { x.writes(g, g.index() * own, 8); });
        });
    };
    BOOST_TEST(writes(8) == "");
    BOOST_TEST(says(writes(7), "both write it"));
    auto const meets = [](int by) {   // as often as the group's, or the warp's number
        return said_of([=](emulated_block& block) {
            block.each_group<8>([&](auto const& g) {
                for (int i = 0; i < g.index() / by; ++i) g.sync();
            });
        });
    };
    BOOST_TEST(meets(4) == "");
    BOOST_TEST(says(meets(1), "part: lanes of one meet where those of another do not"));
}
BOOST_AUTO_TEST_CASE(nobody_wrote_it) {
    BOOST_TEST(says(said_of([](emulated_block& block) {
                        auto const x = block.shared<float>(32);
                        block.each_warp([&](auto const& w) { x.get(w, lanes); });
                    }),
                    "nobody wrote it"));
    BOOST_TEST(says(said_of([](emulated_block& block) {
                        auto const x = block.shared<float>(32);
                        block.each_warp([&](auto const& w) { x.put(w, lanes + emulated_warp::whole(1), ones); });
                    }),
                    "element 32 of 32"));
    BOOST_TEST(says(said_of([](emulated_block& block) { block.shared<float>(300); }), "asked for 1024 bytes"));
}
BOOST_AUTO_TEST_CASE(an_asynchronous_copy_is_waited_for) {
    tensor<float, 1> const from({128}, 1.0f);
    auto const program = [&from](bool waits, bool barrier) {
        return said_of([=, &from](emulated_block& block) {
            auto const x = block.shared<float>(128);
            auto const at = emulated_warp::each_lane([](int l) { return 4 * l; });
            auto const pieces = emulated_warp::each_lane([&](int l) { return from.data() + 4 * l; });
            block.each_warp([&](auto const& w) {
                if (w.index() == 0) x.copy_async(w, at, pieces);
                block.commit(w);
                if (waits) block.wait(w, 0);
                if (!barrier) x.get(w, at);
            });
            if (barrier) block.each_warp([&](auto const& w) { x.get(w, at); });
        });
    };
    BOOST_TEST(program(true, true) == "");
    BOOST_TEST(says(program(false, true), "under way"));
    BOOST_TEST(program(true, false) != "");   // the other warp's barrier is missing, or it came first
}
template <class Products>
void check_products(double tolerance) {
    auto const a = testing::random(std::array<index_t, 2>{16, 16}, 1), b = testing::random(std::array<index_t, 2>{16, 16}, 2);
    tensor<double, 2> expected({16, 16}, 0.0), by_rows({16, 16}, 0.0);
    for (index_t i = 0; i < 16; ++i)
        for (index_t j = 0; j < 16; ++j)
            for (index_t k = 0; k < 16; ++k) expected(i, j) += a(i, k) * b(j, k), by_rows(i, j) += a(i, k) * b(k, j);
    emulated_block block(1, 16 * 16 * 8, 1);
    using element = typename Products::element;
    auto const x = block.shared<element>(256), y = block.shared<element>(256);
    tensor<float, 2> found({16, 16}), found_by_rows({16, 16});
    block.each_warp([&](auto const& w) {
        for (int i = 0; i < 256; i += 32) {
            auto const at = lanes + emulated_warp::whole(i);
            x.put(w, at, emulated_warp::each_lane([&](int l) { return Products::round(static_cast<float>(a.data()[i + l])); }));
            y.put(w, at, emulated_warp::each_lane([&](int l) { return Products::round(static_cast<float>(b.data()[i + l])); }));
        }
    });
    block.each_warp([&](auto const& w) {
        auto const left = load_a(w, Products{}, x, 16, 0, 0);
        auto const columns = load_b(w, Products{}, y, 16, 0, 0), rows = load_b_rows(w, Products{}, y, 16, 0, 0);
        for (int n = 0; n < 2; ++n) {
            gpu::fragment_c<emulated_warp> c, r;
            gpu::clear<emulated_warp>(c), gpu::clear<emulated_warp>(r);
            multiply_add(w, Products{}, c, left, columns[static_cast<std::size_t>(n)]);
            multiply_add(w, Products{}, r, left, rows[static_cast<std::size_t>(n)]);
            for (int l = 0; l < 32; ++l)
                for (int i = 0; i < 4; ++i) {
                    found(gpu::row_of(l, i), 8 * n + gpu::column_of(l, i)) = c[static_cast<std::size_t>(i)].v[l];
                    found_by_rows(gpu::row_of(l, i), 8 * n + gpu::column_of(l, i)) = r[static_cast<std::size_t>(i)].v[l];
                }
        }
    });
    testing::check_close(found, expected, tolerance);
    testing::check_close(found_by_rows, by_rows, tolerance);
}
BOOST_AUTO_TEST_CASE(fragments_multiply) {
    check_products<gpu::float_products>(1e-6);
    check_products<gpu::bfloat16_products>(2e-2);
}

BOOST_AUTO_TEST_SUITE_END()
