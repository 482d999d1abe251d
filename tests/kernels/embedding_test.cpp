#include <limits>
#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/error.hpp>
#include <attnlab/kernels/cpu/embedding.hpp>
#include <attnlab/kernels/ref/embedding.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(embedding)

namespace {

using namespace attnlab::testing;
using attnlab::cpu, attnlab::ref, attnlab::tensor, attnlab::view;

/// Tokens with many repeats: every sixth is the same.
tensor<std::int32_t, 2> tokens_of(attnlab::index_t b, attnlab::index_t t, std::uint64_t vocabulary) {
    tensor<std::int32_t, 2> out({b, t});
    for (attnlab::index_t i = 0; i < out.size(); ++i)
        out.data()[i] = i % 6 ? static_cast<std::int32_t>(attnlab::rng::bits(1, static_cast<std::uint64_t>(i)) % vocabulary) : 2;
    return out;
}

BOOST_AUTO_TEST_CASE(cpu_and_ref_are_the_definition) {
    for (attnlab::index_t c : widths)
        for (auto [b, t] : {std::pair<attnlab::index_t, attnlab::index_t>{1, 1}, {3, 5}}) {
            attnlab::index_t const v = 4, p = 6;
            auto const tokens = tokens_of(b, t, 4);
            auto const wte = random<2>({v, c}, 1), wpe = random<2>({p, c}, 2);
            auto const dy = random<3>({b, t, c}, 3);
            tensor<double, 3> expected({b, t, c}), y({b, t, c});
            auto dwte = random<2>({v, c}, 4), dwpe = random<2>({p, c}, 5);
            auto dwte_f = narrow(dwte), dwpe_f = narrow(dwpe);
            auto expected_dwte = dwte, expected_dwpe = dwpe;
            for (attnlab::index_t i = 0; i < b; ++i)
                for (attnlab::index_t j = 0; j < t; ++j)
                    for (attnlab::index_t k = 0; k < c; ++k) {
                        expected(i, j, k) = wte(tokens(i, j), k) + wpe(j, k);
                        expected_dwte(tokens(i, j), k) += dy(i, j, k);
                        expected_dwpe(j, k) += dy(i, j, k);
                    }
            tensor<float, 3> yf({b, t, c});
            embedding_forward(ref{}, tokens, wte, wpe, y);
            embedding_forward(cpu{}, tokens, narrow(wte), narrow(wpe), yf);
            check_close(y, expected, 1e-15);
            check_close(yf, expected, 1e-6);
            embedding_backward(ref{}, tokens, dy, dwte, dwpe);
            embedding_backward(cpu{}, tokens, narrow(dy), dwte_f, dwpe_f);
            check_close(dwte, expected_dwte, 1e-14);
            check_close(dwpe, expected_dwpe, 1e-14);
            check_close(dwte_f, expected_dwte, 2e-6);
            check_close(dwpe_f, expected_dwpe, 2e-6);
        }
}

BOOST_AUTO_TEST_CASE(without_learned_positions) {
    auto const tokens = tokens_of(2, 9, 5);
    auto const wte = random<2>({5, 20}, 1);
    auto const dy = random<3>({2, 9, 20}, 2);
    tensor<double, 3> y({2, 9, 20});
    tensor<float, 3> yf({2, 9, 20});
    tensor<double, 2> dwte({5, 20}, 0.0);
    tensor<float, 2> dwte_f({5, 20}, 0.0f);
    embedding_forward(ref{}, tokens, wte, {}, y);
    embedding_forward(cpu{}, tokens, narrow(wte), {}, yf);
    embedding_backward(ref{}, tokens, dy, dwte, {});
    embedding_backward(cpu{}, tokens, narrow(dy), dwte_f, {});
    BOOST_TEST(y(1, 4, 7) == wte(tokens(1, 4), 7));
    check_close(yf, y, 0);
    check_close(dwte_f, dwte, 1e-6);
}

BOOST_AUTO_TEST_CASE(same_bits_on_any_threads) {
    auto const tokens = tokens_of(8, 100, 7);
    auto const dy = narrow(random<3>({8, 100, 200}, 1));
    auto const run = [&](int threads) {
        return with_threads(threads, [&] {
            tensor<float, 2> both({107, 200}, 0.0f);
            embedding_backward(cpu{}, tokens, dy, view<float, 2>(both.data(), {7, 200}),
                               view<float, 2>(both.data() + 7 * 200, {100, 200}));
            return both;
        });
    };
    auto const one = run(1);
    BOOST_TEST(same_bits(one, run(1)));
    BOOST_TEST(same_bits(one, run(2)));
}

BOOST_AUTO_TEST_CASE(nan_goes_through) {
    tensor<float, 2> wte({3, 4}, 1.0f);
    wte(2, 1) = std::numeric_limits<float>::quiet_NaN();
    tensor<std::int32_t, 2> tokens({1, 2}, 0);
    tokens(0, 1) = 2;
    tensor<float, 3> y({1, 2, 4});
    embedding_forward(cpu{}, tokens, wte, {}, y);
    BOOST_TEST((!std::isnan(y(0, 0, 1)) && std::isnan(y(0, 1, 1))));
}

template <class Device>
void refuses() {
    using scalar = typename Device::scalar;
    tensor<scalar, 2> const wte({3, 4}, scalar{1}), wpe({2, 4}, scalar{1});
    tensor<scalar, 3> y({1, 2, 4}), longer({1, 3, 4});
    for (std::int32_t wrong : {3, -1}) {
        tensor<std::int32_t, 2> tokens({1, 2}, 0);
        tokens(0, 1) = wrong;
        auto const expected = attnlab::text("embedding: token ", wrong, " at position 1: expected 0 to 2");
        BOOST_CHECK_EXCEPTION(embedding_forward(Device{}, tokens, wte, wpe, y), attnlab::error,
                              [&](auto const& e) { return e.what() == expected; });
    }
    BOOST_CHECK_EXCEPTION(
        embedding_forward(Device{}, tensor<std::int32_t, 2>({1, 3}, 0), wte, wpe, longer), attnlab::error,
        [](auto const& e) { return e.what() == std::string("embedding: T 3: expected at most the 2 positions learned"); });
}

BOOST_AUTO_TEST_CASE(refuses_what_has_no_row) {
    refuses<cpu>();
    refuses<ref>();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
