// Kernels of layers against the reference. What a kernel is given has a name and lives until the device is done.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/error.hpp>
#include <attnlab/kernels/ref/activation.hpp>
#include <attnlab/kernels/ref/copy.hpp>
#include <attnlab/kernels/ref/embedding.hpp>
#include <attnlab/kernels/ref/loss.hpp>
#include <attnlab/kernels/ref/norm.hpp>
#include <attnlab/kernels/ref/rms_norm.hpp>
#include <attnlab/kernels/ref/rotary.hpp>

#include "kernels/support.hpp"
#include "kernels_cuda/device.hpp"

BOOST_AUTO_TEST_SUITE(layers)

namespace {

using namespace attnlab::testing;
using attnlab::bfloat16, attnlab::gelu_form, attnlab::index_t, attnlab::ref, attnlab::tensor, attnlab::view;

/// On both sides of a warp, of four numbers a lane, and of what registers hold of a row, one or four numbers a lane.
constexpr index_t row_widths[]{1, 2, 5, 31, 32, 33, 40, 64, 100, 128, 132, 257, 768, 1000, 1025, 5000};
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

void wait() { synchronize(device{}); }

BOOST_AUTO_TEST_CASE(activations) {
    for (index_t n : {1, 3, 4, 5, 127, 4099})
        for (auto form : {gelu_form::exact, gelu_form::tanh}) {
            auto const x = random<1>({n}, 1, 3);
            tensor<double, 1> y({n}), slope({n});
            auto const xf = narrow(x);
            tensor<float, 1> yf({n}), slope_f({n}), alone({n}), in_place = xf;
            gelu_forward(ref{}, form, x, y, slope.data());
            gelu_forward(device{}, form, xf, yf, slope_f.data());
            gelu_forward(device{}, form, xf, alone, nullptr);
            gelu_forward(device{}, form, in_place, yf, in_place.data());
            auto back = narrow(random<1>({n}, 2, 3));
            tensor<double, 1> back_expected({n});
            for (index_t i = 0; i < n; ++i) back_expected(i) = slope(i) * static_cast<double>(back(i));
            gelu_backward(device{}, form, xf, *back);
            wait();
            check_close(yf, y, 1e-6);
            check_close(slope_f, slope, 1e-6);
            check_close(back, back_expected, 2e-6);
            BOOST_TEST((same_bits(alone, yf) && same_bits(in_place, slope_f)));
        }
    for (index_t n : {1, 4, 127}) {
        auto const x = random<1>({n}, 1, 3);
        auto const xf = narrow(x);
        tensor<double, 1> y({n}), slope({n}), rectified({n}), step({n});
        silu_forward(ref{}, x, y, slope.data());
        relu_forward(ref{}, x, rectified, step.data());
        tensor<float, 1> yf({n}), slope_f({n}), rectified_f({n}), step_f({n});
        silu_forward(device{}, xf, yf, slope_f.data());
        relu_forward(device{}, xf, rectified_f, step_f.data());
        wait();
        check_close(yf, y, 1e-6);
        check_close(slope_f, slope, 1e-6);
        check_close(rectified_f, rectified, 0);
        check_close(step_f, step, 0);
    }
    tensor<float, 1> odd({7}, nan_value), y({7}), slope({7});
    odd(0) = -1e4f, odd(1) = 1e4f;
    for (auto form : {gelu_form::exact, gelu_form::tanh}) {
        gelu_forward(device{}, form, odd, y, slope.data());
        wait();
        BOOST_TEST((y(0) == 0 && y(1) == 1e4f && std::isnan(y(5)) && slope(0) == 0 && slope(1) == 1 && std::isnan(slope(6))));
    }
    relu_forward(device{}, odd, y, nullptr);
    wait();
    BOOST_TEST((y(0) == 0 && std::isnan(y(6))));
}

BOOST_AUTO_TEST_CASE(sums_products_and_zeros) {
    for (index_t n : {1, 6, 1000}) {
        auto const x = random<1>({n}, 2);
        auto y = random<1>({n}, 3);
        auto const xf = narrow(x);
        auto yf = narrow(y);
        add(ref{}, x, y);
        multiply_by(ref{}, x, y);
        add(device{}, xf, yf);
        multiply_by(device{}, xf, yf);
        wait();
        check_close(yf, y, 1e-6);
        zero(device{}, yf);
        wait();
        for (float v : *yf) BOOST_REQUIRE_EQUAL(v, 0);
    }
    // Not on sixteen bytes.
    tensor<float, 1> const ones({20}, 1.0f);
    tensor<float, 1> y({20}, 2.0f);
    add(device{}, view<float const, 1>(ones.data() + 1, {9}), view<float, 1>(y.data() + 2, {9}));
    wait();
    for (index_t i = 0; i < 20; ++i) BOOST_TEST(y(i) == (2 <= i && i < 11 ? 3 : 2));
}

BOOST_AUTO_TEST_CASE(clips_caps_and_factors) {
    for (index_t n : {1, 4, 127}) {
        auto const x = random<1>({n}, 1, 2);
        auto const xf = narrow(x);
        tensor<double, 1> clipped({n}), inside({n}), capped({n}), slope({n});
        clip_forward(ref{}, 1.5, x, clipped, inside.data());
        soft_cap_forward(ref{}, 1.5, x, capped, slope.data());
        multiply_by(ref{}, 3.0, clipped);
        tensor<float, 1> clipped_f({n}), inside_f({n}), capped_f({n}), slope_f = xf;
        clip_forward(device{}, 1.5f, xf, clipped_f, inside_f.data());
        soft_cap_forward(device{}, 1.5f, slope_f, capped_f, slope_f.data());
        multiply_by(device{}, 3.0f, clipped_f);
        wait();
        check_close(clipped_f, clipped, 1e-6);
        check_close(inside_f, inside, 0);
        check_close(capped_f, capped, 1e-6);
        check_close(slope_f, slope, 1e-6);
    }
    tensor<float, 1> odd({3}, nan_value), y({3}), slope({3});
    odd(0) = -1e30f, odd(1) = 1e30f;
    clip_forward(device{}, 2.0f, odd, y, slope.data());
    wait();
    BOOST_TEST((y(0) == -2 && y(1) == 2 && std::isnan(y(2)) && slope(0) == 0));
    soft_cap_forward(device{}, 2.0f, odd, y, nullptr);
    wait();
    BOOST_TEST((y(0) == -2 && y(1) == 2 && std::isnan(y(2))));
}

BOOST_AUTO_TEST_CASE(copies_of_heads) {
    // Heads on sixteen bytes and not; columns; one row to many.
    for (index_t const D : {4, 33, 256}) {
        index_t const B = 2, H = 3, T = 5;
        auto const x = random<3>({B, T, H * D}, 1);
        auto const xf = narrow(x);
        tensor<double, 4> y({B, H, T, D});
        tensor<float, 4> yf({B, H, T, D});
        copy_heads(ref{}, attnlab::merged_heads(*x, D), attnlab::separate_heads(*y), B, H, T, D, 0.5);
        copy_heads(device{}, attnlab::merged_heads(*xf, D), attnlab::separate_heads(*yf), B, H, T, D, 0.5f);
        tensor<float, 3> same({B, T, H * D}), rows({B, T, H * D});
        copy(device{}, flat(*xf), flat(*same));
        copy_heads(device{}, attnlab::heads<float const>{xf.data()}, attnlab::heads<float>{rows.data(), 0, 0, H * D}, 1, 1, B * T, H * D);
        wait();
        check_close(yf, y, 0);
        BOOST_TEST(same_bits(same, xf));
        for (index_t t = 0; t < B * T; ++t)
            for (index_t c = 0; c < H * D; ++c) BOOST_REQUIRE_EQUAL(rows.data()[t * H * D + c], xf.data()[c]);
    }
}

BOOST_AUTO_TEST_CASE(what_mixtures_do_to_rows) {
    for (index_t const n : {1, 7, 64}) {
        auto const both = random<1>({2 * n}, 1, 3);
        auto const both_f = narrow(both);
        tensor<double, 1> y({n});
        tensor<float, 1> yf({n});
        clamped_gate_forward(ref{}, 2.0, 1.7, both, y);
        clamped_gate_forward(device{}, 2.0f, 1.7f, both_f, yf);
        auto x = random<2>({5, n}, 2);
        auto xf = narrow(x);
        auto const by = random<1>({5}, 3);
        auto by_f = narrow(by);
        multiply_rows_by(ref{}, by.data(), x);
        multiply_rows_by(device{}, by_f.data(), xf);
        for (float& b : *by_f) b = nan_value;   // free again
        wait();
        check_close(yf, y, 1e-6);
        check_close(xf, x, 1e-6);
    }
}

BOOST_AUTO_TEST_CASE(numbers_of_the_host) {
    for (index_t const n : {1, 8, 1001}) {
        auto const x = narrow(random<1>({n}, 1));
        std::vector<float> given(x.data(), x.data() + n);
        std::vector<bfloat16> halves;
        for (float v : given) halves.emplace_back(v);
        tensor<float, 1> y({n}), z({n});
        take_from_host(device{}, given.data(), y);
        take_from_host(device{}, halves.data(), z);
        auto const kept = halves;
        std::fill(given.begin(), given.end(), nan_value), std::fill(halves.begin(), halves.end(), bfloat16(nan_value));
        wait();
        BOOST_TEST(same_bits(x, y));
        for (index_t i = 0; i < n; ++i) BOOST_REQUIRE_EQUAL(z(i), static_cast<float>(kept[static_cast<std::size_t>(i)]));
    }
}

BOOST_AUTO_TEST_CASE(layer_norm) {
    for (index_t c : row_widths)
        for (index_t n : {1, 5, 70})
            for (bool with_bias : {true, false}) {
                auto x = random<2>({n, c}, 1);
                auto const dy = random<2>({n, c}, 2);
                auto const weight = random<1>({c}, 3), bias = random<1>({c}, 4);
                x(0, c / 2) = 3000;   // an activation outlier
                tensor<double, 2> y({n, c});
                tensor<double, 1> mean({n}), rstd({n});
                layer_norm_forward(ref{}, x, weight.data(), with_bias ? bias.data() : nullptr, 0.1, y, mean.data(), rstd.data());
                auto const xf = narrow(x), dyf = narrow(dy);
                auto const weight_f = narrow(weight), bias_f = narrow(bias);
                tensor<float, 2> yf({n, c});
                tensor<float, 1> mean_f({n}), rstd_f({n});
                layer_norm_forward(device{}, xf, weight_f.data(), with_bias ? bias_f.data() : nullptr, 0.1f, yf, mean_f.data(), rstd_f.data());
                wait();
                check_close(yf, y);
                check_close(mean_f, mean);
                check_close(rstd_f, rstd);

                auto dx = random<2>({n, c}, 5);
                auto dweight = random<1>({c}, 6), dbias = random<1>({c}, 7);
                auto dxf = narrow(dx);
                auto dweight_f = narrow(dweight), dbias_f = narrow(dbias);
                mean_f = narrow(mean), rstd_f = narrow(rstd);
                layer_norm_backward(ref{}, dy, x, weight.data(), mean.data(), rstd.data(), dx, dweight.data(), with_bias ? dbias.data() : nullptr);
                layer_norm_backward(device{}, dyf, xf, weight_f.data(), mean_f.data(), rstd_f.data(), dxf, dweight_f.data(),
                                    with_bias ? dbias_f.data() : nullptr);
                wait();
                check_close(dxf, dx);
                check_close(dweight_f, dweight);
                check_close(dbias_f, dbias);

                // dx once more, rounded, and its columns' sums: nothing else changes.
                auto const again = random<2>({n, c}, 5);
                auto const sums = random<1>({c}, 8);
                auto dx_again = narrow(again);
                auto dweight_again = narrow(random<1>({c}, 6)), sums_f = narrow(sums);
                tensor<bfloat16, 2> rounded({n, c});
                layer_norm_backward(device{}, dyf, xf, weight_f.data(), mean_f.data(), rstd_f.data(), dx_again, dweight_again.data(), nullptr, rounded.data(),
                                    with_bias ? sums_f.data() : nullptr);
                wait();
                BOOST_TEST((same_bits(dx_again, dxf) && same_bits(dweight_again, dweight_f)));
                for (index_t i = 0; i < rounded.size(); ++i) BOOST_REQUIRE_EQUAL(rounded.data()[i].bits, bfloat16(dxf.data()[i]).bits);
                tensor<double, 1> expected = sums;
                if (with_bias)
                    for (index_t i = 0; i < rounded.size(); ++i) expected(i % c) += dx.data()[i];
                check_close(sums_f, expected);
            }
}

BOOST_AUTO_TEST_CASE(layer_norm_of_many_rows_and_of_nan) {
    index_t const n = 9000, c = 40;   // more than 16 rows a part
    auto const x = random<2>({n, c}, 1), dy = random<2>({n, c}, 2);
    auto const weight = random<1>({c}, 3), mean = random<1>({n}, 4), rstd = random<1>({n}, 5);
    tensor<double, 2> dx({n, c}, 0.0);
    tensor<double, 1> dweight({c}, 0.0), dbias({c}, 0.0);
    layer_norm_backward(ref{}, dy, x, weight.data(), mean.data(), rstd.data(), dx, dweight.data(), dbias.data());
    auto const xf = narrow(x), dyf = narrow(dy);
    auto const weight_f = narrow(weight), mean_f = narrow(mean), rstd_f = narrow(rstd);
    tensor<float, 2> first;
    for (int threads : {1, 2}) {
        tensor<float, 2> all({n + 2, c}, 0.0f);
        with_threads(threads, [&] {
            layer_norm_backward(device{}, dyf, xf, weight_f.data(), mean_f.data(), rstd_f.data(), view<float, 2>(all.data(), {n, c}),
                                all.data() + n * c, all.data() + (n + 1) * c);
            wait();
            return 0;
        });
        for (index_t j = 0; j < c; ++j) BOOST_TEST((std::abs(all(n, j) - dweight(j)) < 1e-3 && std::abs(all(n + 1, j) - dbias(j)) < 1e-3));
        if (threads == 1)
            first = all;
        else
            BOOST_TEST(same_bits(all, first));
    }
    tensor<float, 2> odd({3, 20}, 1.0f);
    odd(1, 19) = nan_value;
    tensor<float, 1> const ones({20}, 1.0f);
    tensor<float, 1> m({3}), r({3});
    layer_norm_forward(device{}, odd, ones.data(), nullptr, 1e-5f, odd, m.data(), r.data());   // in place
    wait();
    for (index_t i = 0; i < 3; ++i)
        for (index_t j = 0; j < 20; ++j) BOOST_TEST(std::isnan(odd(i, j)) == (i == 1));
}

/// What a kernel rounds as it makes it is what it makes, rounded.
template <std::size_t N>
void check_rounded(tensor<bfloat16, N> const& found, tensor<float, N> const& whole, char const* what) {
    for (index_t i = 0; i < found.size(); ++i)
        if (found.data()[i].bits != bfloat16(whole.data()[i]).bits) {
            BOOST_ERROR(what << ", element " << i << ": " << static_cast<float>(found.data()[i]) << " of " << whole.data()[i]);
            return;
        }
    BOOST_TEST(true);
}
/// The same where the kernel adds up its numbers in another order.
template <class Exact>
void check_rounded_nearly(tensor<bfloat16, 2> const& found, Exact const& whole, char const* what) {
    for (index_t i = 0; i < found.size(); ++i) {
        double const x = static_cast<double>(whole.data()[i]), error = std::abs(static_cast<float>(found.data()[i]) - x);
        if (!(error <= std::abs(x) / 250 + 1e-30)) {
            BOOST_ERROR(what << ", element " << i << ": " << static_cast<float>(found.data()[i]) << " of " << x);
            return;
        }
    }
    BOOST_TEST(true);
}
BOOST_AUTO_TEST_CASE(rounded_as_they_are_made) {
    for (index_t c : row_widths) {
        index_t const n = 5;
        auto const x = narrow(random<2>({n, c}, 1));
        auto const weight = narrow(random<1>({c}, 3)), bias = narrow(random<1>({c}, 4));
        tensor<float, 2> normed({n, c}), post({n, c}), slope({n, c});
        tensor<bfloat16, 2> normed_b({n, c}), post_b({n, c}), slope_b({n, c});
        tensor<float, 1> mean({n}), rstd({n});
        layer_norm_forward(device{}, x, weight.data(), bias.data(), 0.1f, normed, mean.data(), rstd.data());
        tensor<float, 2> whole({n, c});
        layer_norm_forward(device{}, x, weight.data(), bias.data(), 0.1f, normed_b, mean.data(), rstd.data(), c % 2 ? whole.data() : nullptr);
        wait();
        check_rounded(normed_b, normed, "normed");
        BOOST_TEST((c % 2 == 0 || std::equal(whole.data(), whole.data() + whole.size(), normed.data())));
        tensor<float, 2> seen({n, c}), product({n, c});
        for (index_t i = 0; i < seen.size(); ++i) seen.data()[i] = static_cast<float>(normed_b.data()[i]);
        slope_b = normed_b;
        gelu_forward(device{}, gelu_form::exact, flat(*seen), flat(*post), slope.data());
        gelu_forward(device{}, gelu_form::exact, flat(view<bfloat16 const, 2>(slope_b)), flat(*post_b), slope_b.data());   // in place
        wait();
        check_rounded(post_b, post, "gelu");
        check_rounded(slope_b, slope, "slope");
        for (index_t i = 0; i < product.size(); ++i) product.data()[i] = static_cast<float>(slope_b.data()[i]) * static_cast<float>(post_b.data()[i]);
        multiply_by(device{}, flat(view<bfloat16 const, 2>(slope_b)), flat(*post_b));
        wait();
        check_rounded(post_b, product, "product");
        for (auto const form : {gelu_form::exact, gelu_form::tanh}) {
            tensor<bfloat16, 2> back_b = normed_b, back_and_sums = normed_b;
            tensor<float, 2> back = seen;
            auto sums = narrow(random<1>({c}, 5));
            tensor<double, 1> expected({c});
            gelu_backward(device{}, form, normed_b, *back_b, nullptr);
            gelu_backward(device{}, form, normed_b, *back_and_sums, sums.data());
            gelu_backward(device{}, form, flat(view<float const, 2>(seen)), flat(*back));
            wait();
            check_rounded(back_b, back, "back through gelu");
            check_rounded(back_and_sums, back, "back through gelu, with sums");
            for (index_t j = 0; j < c; ++j) {
                expected(j) = static_cast<double>(narrow(random<1>({c}, 5))(j));
                for (index_t i = 0; i < n; ++i) expected(j) += static_cast<double>(back(i, j));
            }
            check_close(sums, expected);
        }

        std::vector<std::int32_t> targets;
        for (index_t i = 0; i < n; ++i) targets.push_back(static_cast<std::int32_t>(i % (c + 1) - 1));
        tensor<double, 1> losses({n}), losses_b({n});
        cross_entropy(device{}, *normed_b, targets.data(), 0.3f, true, losses_b.data());
        cross_entropy(device{}, seen, targets.data(), 0.3f, true, losses.data());
        wait();
        check_rounded_nearly(normed_b, seen, "gradient of logits");
        check_close(losses_b, losses, 1e-6);
    }
}

BOOST_AUTO_TEST_CASE(rms_norm) {
    for (index_t c : row_widths)
        for (double const offset : {0.0, 1.0}) {
            auto const x = random<2>({5, c}, 1);
            auto const weight = random<1>({c}, 2);
            tensor<double, 2> y({5, c});
            auto yf = narrow(x), plain = yf;
            auto const weight_f = narrow(weight);
            rms_norm_forward(ref{}, x, weight.data(), offset, 1e-6, y);
            rms_norm_forward(device{}, yf, weight_f.data(), static_cast<float>(offset), 1e-6f, yf);
            rms_norm_forward(device{}, plain, nullptr, 0.0f, 1e-6f, plain);
            wait();
            check_close(yf, y);
            rms_norm_forward(ref{}, x, nullptr, 0.0, 1e-6, y);
            check_close(plain, y);
        }
}

BOOST_AUTO_TEST_CASE(rms_norm_backwards) {
    for (index_t c : row_widths)
        for (index_t n : {1, 70}) {
            auto const x = random<2>({n, c}, 1), dy = random<2>({n, c}, 2);
            auto const weight = random<1>({c}, 3);
            auto dx = random<2>({n, c}, 4);
            auto dweight = random<1>({c}, 5);
            auto const xf = narrow(x), dyf = narrow(dy);
            auto const weight_f = narrow(weight);
            auto dxf = narrow(dx);
            auto dweight_f = narrow(dweight);
            rms_norm_backward(ref{}, dy, x, weight.data(), 1.0, 0.1, dx, dweight.data());
            rms_norm_backward(device{}, dyf, xf, weight_f.data(), 1.0f, 0.1f, dxf, dweight_f.data());
            wait();
            check_close(dxf, dx);
            check_close(dweight_f, dweight);
        }
}

BOOST_AUTO_TEST_CASE(rotary) {
    for (index_t const pairs : {1, 17, 32})
        for (bool const neighbours : {false, true}) {
            std::vector<double> const frequencies(static_cast<std::size_t>(pairs), 0.3);
            index_t const B = 2, H = 3, T = 5, D = 2 * pairs + 3;
            attnlab::rotation_angles<double> exact(frequencies, 1.5, T);
            attnlab::rotation_angles<float> angles(frequencies, 1.5, T);
            exact.neighbours = angles.neighbours = neighbours;
            auto y = random<3>({B, T, H * D}, 1);
            auto found = narrow(y);
            rotate_heads(ref{}, attnlab::merged_heads(*y, D), B, H, T, exact);
            rotate_heads(device{}, attnlab::merged_heads(*found, D), B, H, T, angles);
            wait();
            check_close(found, y, 1e-6);
        }
}

/// Every sixth is the same.
tensor<std::int32_t, 2> tokens_of(index_t b, index_t t, std::uint64_t vocabulary) {
    tensor<std::int32_t, 2> out({b, t});
    for (index_t i = 0; i < out.size(); ++i)
        out.data()[i] = i % 6 ? static_cast<std::int32_t>(attnlab::rng::bits(1, static_cast<std::uint64_t>(i)) % vocabulary) : 2;
    return out;
}

BOOST_AUTO_TEST_CASE(embedding) {
    for (index_t c : row_widths)
        for (bool const positions : {true, false}) {
            index_t const B = 3, T = 25, V = 11;
            auto const tokens = tokens_of(B, T, 11);
            auto const wte = random<2>({V, c}, 1), wpe = random<2>({T + 1, c}, 2);
            auto const dy = random<3>({B, T, c}, 3);
            auto dwte = random<2>({V, c}, 4), dwpe = random<2>({T + 1, c}, 5);
            tensor<double, 3> y({B, T, c});
            auto const wte_f = narrow(wte), wpe_f = narrow(wpe);
            auto const dyf = narrow(dy);
            auto dwte_f = narrow(dwte), dwpe_f = narrow(dwpe);
            tensor<float, 3> yf({B, T, c});
            if (positions) {
                embedding_forward(ref{}, tokens, wte, wpe, y);
                embedding_backward(ref{}, tokens, dy, dwte, dwpe);
                embedding_forward(device{}, tokens, wte_f, wpe_f, yf);
                embedding_backward(device{}, tokens, dyf, dwte_f, dwpe_f);
            } else {
                embedding_forward(ref{}, tokens, wte, {}, y);
                embedding_backward(ref{}, tokens, dy, dwte, {});
                embedding_forward(device{}, tokens, wte_f, {}, yf);
                embedding_backward(device{}, tokens, dyf, dwte_f, {});
            }
            wait();
            check_close(yf, y, 1e-6);
            check_close(dwte_f, dwte, 2e-6);
            check_close(dwpe_f, dwpe, 2e-6);
        }
    tensor<std::int32_t, 2> wrong({1, 2}, 0);
    wrong(0, 1) = 3;
    tensor<float, 2> const table({3, 4}, 1.0f);
    tensor<float, 3> y({1, 2, 4});
    BOOST_CHECK_EXCEPTION(embedding_forward(device{}, wrong, table, {}, y), attnlab::error,
                          [](auto const& e) { return e.what() == std::string("embedding: token 3 at position 1: expected 0 to 2"); });
    view<float const, 2> const one_position(table.data(), {1, 4});
    BOOST_CHECK_THROW(embedding_forward(device{}, wrong, table, one_position, y), attnlab::error);
}

BOOST_AUTO_TEST_CASE(cross_entropy_and_its_gradient) {
    for (index_t v : {1, 2, 33, 257, 1024, 1028, 9001, 9004, 41800}) {   // of the last, shared memory has no room for a row
        index_t const n = 6;
        auto logits = random<2>({n, v}, 1, 3);
        std::vector<std::int32_t> targets;
        for (index_t i = 0; i < n; ++i) targets.push_back(i == 2 ? -1 : static_cast<std::int32_t>((i * 37 + v - 1) % v));
        auto found = narrow(logits);
        auto const before = found;
        tensor<double, 1> losses({n}), losses_f({n}), forward_only({n});
        cross_entropy(device{}, found, targets.data(), 0.25f, false, forward_only.data());
        wait();
        BOOST_TEST(same_bits(found, before));
        cross_entropy(ref{}, logits, targets.data(), 0.25, true, losses.data());
        cross_entropy(device{}, found, targets.data(), 0.25f, true, losses_f.data());
        wait();
        BOOST_TEST(same_bits(losses_f, forward_only));
        check_close(losses_f, losses, 1e-6);
        check_close(found, logits, 3e-6);
    }
}

BOOST_AUTO_TEST_CASE(cross_entropy_of_rounded_logits) {
    for (index_t v : {7, 8, 264, 4100, 50304, 83480}) {
        auto logits = random<2>({3, v}, 1, 3);
        tensor<bfloat16, 2> found({3, v});
        for (index_t i = 0; i < found.size(); ++i) {
            found.data()[i] = bfloat16(static_cast<float>(logits.data()[i]));
            logits.data()[i] = static_cast<float>(found.data()[i]);
        }
        std::int32_t const targets[]{static_cast<std::int32_t>(v - 1), -1, 3};
        tensor<double, 1> losses({3}), losses_b({3});
        cross_entropy(ref{}, logits, targets, 0.25, true, losses.data());
        cross_entropy(device{}, found, targets, 0.25f, true, losses_b.data());
        wait();
        check_close(losses_b, losses, 1e-6);
        check_rounded_nearly(found, logits, "gradient of logits");
    }
}

BOOST_AUTO_TEST_CASE(cross_entropy_at_the_ends) {
    tensor<float, 2> logits({6, 300}, 0.0f);
    logits(0, 3) = 10000;
    logits(1, 4) = 10000;
    for (index_t j = 0; j < 300; ++j) logits(2, j) = -10000, logits(4, j) = j == 299 ? nan_value : 1, logits(5, j) = nan_value;
    logits(3, 0) = -std::numeric_limits<float>::infinity();
    std::int32_t const targets[]{3, 3, 3, 3, 3, -1};
    tensor<double, 1> losses({6});
    cross_entropy(device{}, logits, targets, 1.0f, true, losses.data());
    wait();
    auto const close = boost::test_tools::tolerance(1e-7);
    BOOST_TEST(losses(0) == 0);
    BOOST_TEST(losses(1) == 10000);
    BOOST_TEST(losses(2) == std::log(300.0), close);
    BOOST_TEST(losses(3) == std::log(299.0), close);
    BOOST_TEST((std::isnan(losses(4)) && losses(5) == 0));
    BOOST_TEST((logits(0, 3) == 0 && logits(0, 4) == 0 && logits(1, 3) == -1 && logits(1, 4) == 1 && logits(1, 5) == 0 && logits(3, 0) == 0));
    for (index_t j = 0; j < 300; ++j) BOOST_TEST((std::isnan(logits(4, j)) && logits(5, j) == 0));
    std::int32_t const wrong[]{0, 300, 0, 0, 0, 0};
    BOOST_CHECK_EXCEPTION(cross_entropy(device{}, logits, wrong, 1.0f, true, losses.data()), attnlab::error,
                          [](auto const& e) { return e.what() == std::string("cross_entropy: target 300 at position 1: expected -1 to 299"); });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
