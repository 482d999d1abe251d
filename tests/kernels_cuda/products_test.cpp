// Products and Linears. On the emulation what is tested is how a product is described by columns, not cuBLASLt.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/tfloat32.hpp>
#include <attnlab/kernels/cuda/product.hpp>
#include <attnlab/kernels/ref/gemm.hpp>
#include <attnlab/kernels/ref/linear.hpp>

#include "kernels/support.hpp"
#include "kernels_cuda/device.hpp"

#ifdef ATTNLAB_TESTS_ON_GPU
namespace attnlab::gpu {   // policies call them: compiled by kernels/cuda/instances.hpp
template <class Device, class X>
bool multiply_few(Device, X const* x, float const* w, float* y, index_t n, index_t c, index_t outputs);
template <class Device, class X, class D>
bool add_few(Device, X const* x, float const* w, float const* dy, D* dx, bool add, float* dw, index_t n, index_t c, index_t outputs);
}  // namespace attnlab::gpu
#endif

BOOST_AUTO_TEST_SUITE(products)

namespace {

using namespace attnlab::testing;
using attnlab::bfloat16, attnlab::index_t, attnlab::ref, attnlab::tensor, attnlab::view;

void wait() { synchronize(device{}); }

BOOST_AUTO_TEST_CASE(a_description_by_columns_is_the_product_by_rows) {
    // Read word for word: element (i, j) of a column-major matrix is at i + j ld, and a matrix has rows x columns of it.
    index_t const m = 3, n = 4, k = 5;
    for (bool ta : {false, true})
        for (bool tb : {false, true}) {
            index_t const lda = (ta ? m : k) + 1, ldb = (tb ? k : n) + 2, ldc = n + 3;
            auto const a = random<2>({ta ? k : m, lda}, 1), b = random<2>({tb ? n : k, ldb}, 2);
            tensor<double, 2> expected({m, ldc}, 0.0), found({m, ldc}, 0.0);
            attnlab::gemm(ref{}, ta, tb, m, n, k, 1, a.data(), lda, b.data(), ldb, 0, expected.data(), ldc);
            auto const p = attnlab::gpu::by_columns(ta, tb, m, n, k, lda, ldb, ldc);
            BOOST_TEST((p.rows_of_a() <= p.lda && p.rows_of_b() <= p.ldb && p.m <= p.ldd));   // what cuBLASLt insists on
            double const *first = b.data(), *second = a.data();
            for (index_t i = 0; i < p.m; ++i)
                for (index_t j = 0; j < p.n; ++j)
                    for (index_t l = 0; l < p.k; ++l)
                        found.data()[i + j * p.ldd] += (p.transpose_a ? first[l + i * p.lda] : first[i + l * p.lda]) *
                                                       (p.transpose_b ? second[j + l * p.ldb] : second[l + j * p.ldb]);
            check_close(found, expected, 1e-14);
        }
}

BOOST_AUTO_TEST_CASE(gemm) {
    struct {
        index_t m, n, k;
    } const sizes[]{{1, 1, 1}, {1, 17, 5}, {33, 1, 8}, {7, 9, 1}, {65, 40, 130}, {129, 60, 257}};
    for (auto [m, n, k] : sizes)
        for (bool ta : {false, true})
            for (bool tb : {false, true})
                for (double beta : {0.0, 1.0, -0.5}) {
                    auto const a = random<2>({ta ? k : m, ta ? m : k}, 1), b = random<2>({tb ? n : k, tb ? k : n}, 2);
                    auto c = random<2>({m, n}, 3);
                    auto const af = narrow(a), bf = narrow(b);
                    auto cf = narrow(c);
                    if (beta == 0) cf.data()[0] = std::numeric_limits<float>::quiet_NaN();   // only written
                    attnlab::gemm(ref{}, ta, tb, m, n, k, 0.5, a.data(), a.shape(1), b.data(), b.shape(1), beta, c.data(), n);
                    attnlab::gemm(device{}, ta, tb, m, n, k, 0.5f, af.data(), af.shape(1), bf.data(), bf.shape(1), static_cast<float>(beta), cf.data(), n);
                    wait();
                    check_close(cf, c);
                }
}

struct size {
    index_t n, in, out;
};
size const sizes[]{{1, 1, 1}, {1, 5, 3}, {9, 1, 4}, {9, 4, 1}, {37, 19, 23}, {200, 64, 33}, {40, 64, 128}};

/// What `T` holds of x: itself, or rounded to bfloat16.
template <class T, std::size_t N>
struct held {
    tensor<T, N> bits;
    tensor<double, N> value;
    explicit held(tensor<double, N> const& x) : bits(x.shape()), value(x.shape()) {
        for (index_t i = 0; i < x.size(); ++i) {
            bits.data()[i] = T(static_cast<float>(x.data()[i]));
            value.data()[i] = static_cast<float>(bits.data()[i]);
        }
    }
};

template <class T>
void check_linear(double tolerance = 1e-5) {
    for (auto [n, in, out] : sizes)
        for (bool optional : {true, false}) {
            auto const x = random<2>({n, in}, 1), dy = random<2>({n, out}, 2);
            auto const bias = random<1>({out}, 3);
            held<T, 2> const w(random<2>({out, in}, 4)), rounded_x(x), rounded_dy(dy);
            tensor<double, 2> y({n, out}), dx({n, in}, 9.0);
            auto dw = random<2>({out, in}, 5);
            auto dbias = random<1>({out}, 6);
            auto const xf = narrow(x), dyf = narrow(dy);
            auto const bias_f = narrow(bias);
            auto dwf = narrow(dw), dxf = narrow(dx);
            auto dbias_f = narrow(dbias);
            tensor<float, 2> yf({n, out}, std::numeric_limits<float>::quiet_NaN());
            linear_forward(ref{}, rounded_x.value, w.value, optional ? bias.data() : nullptr, y);
            view<T const, 2> const wf = w.bits;
            linear_forward(device{}, *xf, wf, optional ? bias_f.data() : nullptr, *yf);
            auto const onto = random<2>({n, out}, 7);
            auto const onto_f = narrow(onto);
            tensor<float, 2> sum_f({n, out}, std::numeric_limits<float>::quiet_NaN());
            linear_forward_onto(device{}, *onto_f, *xf, wf, optional ? bias_f.data() : nullptr, *sum_f);
            linear_backward(ref{}, rounded_dy.value, rounded_x.value, w.value, optional ? dx.data() : nullptr, dw, nullptr);
            tensor<double, 2> unused({out, in}, 0.0);
            linear_backward(ref{}, dy, x, w.value, nullptr, unused, optional ? dbias.data() : nullptr);   // sums of what was not rounded
            linear_backward(device{}, *dyf, *xf, wf, optional ? dxf.data() : nullptr, dwf, optional ? dbias_f.data() : nullptr);
            wait();
            check_close(yf, y, tolerance);
            tensor<double, 2> sum({n, out});
            std::transform(y.data(), y.data() + y.size(), onto.data(), sum.data(), std::plus<>());
            for (index_t i = 0; i < sum.size(); ++i)   // the two may cancel
                BOOST_TEST(std::abs(sum_f.data()[i] - sum.data()[i]) <= tolerance * (1 + std::abs(y.data()[i]) + std::abs(onto.data()[i])));
            check_close(dxf, dx, tolerance);
            check_close(dwf, dw, tolerance);
            check_close(dbias_f, dbias);
        }
}
BOOST_AUTO_TEST_CASE(linear) { check_linear<float>(); }
BOOST_AUTO_TEST_CASE(linear_of_bfloat16) {
    BOOST_TEST(has_bfloat16(device{}));
    check_linear<bfloat16>();
}

/// Rows that were rounded before give what rows do that are rounded here; what is summed is what there is; a rounded result is the result, rounded. The bits are the same but for
/// a library, which may sum in another order for arrays that lie otherwise.
BOOST_AUTO_TEST_CASE(linear_of_rounded_rows) {
    for (auto [n, in, out] : sizes)
        for (bool optional : {true, false}) {
            auto const x = random<2>({n, in}, 1), dy = random<2>({n, out}, 2);
            held<bfloat16, 2> const w(random<2>({out, in}, 3)), rounded_x(x), rounded_dy(dy);
            auto const xf = narrow(x), dyf = narrow(dy), dy_b = narrow(rounded_dy.value);
            view<bfloat16 const, 2> const xb = rounded_x.bits, dyb = rounded_dy.bits, wb = w.bits;
            tensor<float, 1> bias = narrow(random<1>({out}, 5));
            for (float& v : *bias) v = static_cast<float>(bfloat16(v));
            tensor<float, 2> const start = narrow(random<2>({out, in}, 4));
            struct result {
                tensor<float, 2> y, dx, dw;
                tensor<float, 1> dbias;
            };
            auto const run = [&, n = n, in = in, out = out](auto rows, auto upstream) {   // bindings, which clang 14 captures by name alone
                result r{tensor<float, 2>({n, out}), tensor<float, 2>({n, in}, 9.0f), start, tensor<float, 1>({out}, 0.0f)};
                linear_forward(device{}, rows, wb, optional ? bias.data() : nullptr, *r.y);
                linear_backward(device{}, upstream, rows, wb, optional ? r.dx.data() : nullptr, *r.dw, optional ? r.dbias.data() : nullptr);
                wait();
                return r;
            };
            auto const whole = run(view<float const, 2>(xf), view<float const, 2>(dyf)), same_sums = run(view<float const, 2>(xf), view<float const, 2>(dy_b));
            auto const half = run(xb, view<float const, 2>(dyf)), both = run(xb, dyb);
            auto const same = [](char const* what, tensor<float, 2> const& a, tensor<float, 2> const& b) {
                float most = 0;
                bool near = true;
                for (index_t i = 0; i < a.size(); ++i) {
                    float const x = a.data()[i], y = b.data()[i], off = std::abs(x - y) / (1 + std::abs(y));
                    most = std::max(most, off);
                    near = near && (x == y || (attnlab::testing::is_real_gpu && off <= 1e-4f));   // a NaN is near to nothing
                }
                BOOST_TEST(near, what << " differs by " << most);
            };
            for (auto const* r : {&half, &both}) same("y", r->y, whole.y), same("dx", r->dx, whole.dx), same("dw", r->dw, whole.dw);
            BOOST_TEST((same_bits(half.dbias, whole.dbias) && same_bits(both.dbias, same_sums.dbias)));

            tensor<bfloat16, 2> y({n, out}), dx({n, in});
            tensor<float, 2> dw = start;
            linear_forward(device{}, xb, wb, optional ? bias.data() : nullptr, *y);
            linear_backward(device{}, view<float const, 2>(dyf), xb, wb, dx.data(), *dw, static_cast<float*>(nullptr));
            wait();
            auto const rounds = [](char const* what, tensor<bfloat16, 2> const& found, tensor<float, 2> const& of) {
                // A library may sum in another order where it rounds: then by one more unit.
                float most = 0;   // of what is allowed
                bool near = true;
                for (index_t i = 0; i < of.size(); ++i) {
                    float const y = of.data()[i], off = std::abs(static_cast<float>(found.data()[i]) - y) / (std::abs(y) / 128 + (attnlab::testing::is_real_gpu ? 1e-4f : 1e-6f));
                    most = std::max(most, off);
                    near = near && off <= 1;
                }
                BOOST_TEST(near, what << " differs by " << most << " of what rounding explains");
            };
            rounds("y", y, whole.y);
            if (optional) rounds("dx", dx, whole.dx);
            same("dw", dw, whole.dw);
        }
}

/// What a product makes beside its GELU is what it makes without, and the GELU is of that, or of that before it was rounded.
BOOST_AUTO_TEST_CASE(linear_with_gelu) {
    for (auto [n, in, out] : sizes)   // of an `out` that is no multiple of 8 cuBLASLt makes no GELU
        for (bool optional : {true, false}) {
            held<bfloat16, 2> const w(random<2>({out, in}, 1)), x(random<2>({n, in}, 2));
            auto const bias = narrow(random<1>({out}, 3));
            view<bfloat16 const, 2> const xb = x.bits, wb = w.bits;
            tensor<bfloat16, 2> y({n, out}), alone({n, out}), post({n, out});
            float const* const b = optional ? bias.data() : nullptr;
            linear_forward(device{}, xb, wb, b, *alone);
            linear_gelu_forward(device{}, xb, wb, b, *y, *post);
            wait();
            for (index_t i = 0; i < y.size(); ++i) {
                auto const of = static_cast<double>(static_cast<float>(alone.data()[i])), found = static_cast<double>(static_cast<float>(y.data()[i]));
                BOOST_TEST(std::abs(found - of) <= (attnlab::testing::is_real_gpu ? std::abs(of) / 128 + 1e-6 : 0));
                double const gelu = found / 2 * (1 + std::tanh(std::sqrt(2 / 3.14159265358979) * (found + 0.044715 * found * found * found)));
                BOOST_TEST(std::abs(static_cast<float>(post.data()[i]) - gelu) <= std::abs(gelu) / 250 + std::abs(found) / 200 + 1e-6);
            }
        }
}

// What tensor cores do with a float's lower bits is theirs.
BOOST_AUTO_TEST_CASE(linear_of_tfloat32) { check_linear<attnlab::tfloat32>(2e-3); }

BOOST_AUTO_TEST_CASE(products_of_few_columns) {
    using attnlab::gpu::add_few, attnlab::gpu::multiply_few;
    for (index_t outputs : {1, 12, 13, 32})
        for (index_t c : {8, 136, 768})
            for (index_t n : {1, 67}) {
                auto const x = random<2>({n, c}, 1), w = random<2>({outputs, c}, 2);
                tensor<double, 2> expected({n, outputs});
                attnlab::gemm(ref{}, false, true, n, outputs, c, 1, x.data(), c, w.data(), c, 0, expected.data(), outputs);
                auto const xf = narrow(x), wf = narrow(w);
                tensor<float, 2> found({n, outputs}, std::numeric_limits<float>::quiet_NaN());
                BOOST_TEST(multiply_few(device{}, xf.data(), wf.data(), found.data(), n, c, outputs));
                wait();
                check_close(found, expected, 1e-4);
                held<bfloat16, 2> const rounded(x);
                attnlab::gemm(ref{}, false, true, n, outputs, c, 1, rounded.value.data(), c, w.data(), c, 0, expected.data(), outputs);
                BOOST_TEST(multiply_few(device{}, rounded.bits.data(), wf.data(), found.data(), n, c, outputs));
                wait();
                check_close(found, expected, 1e-4);
            }
    for (index_t outputs : {1, 12, 16, 17, 32})
        for (index_t c : {8, 72, 768})
            for (index_t n : {1, 67, 600})
                for (bool add : {false, true}) {
                    auto const x = random<2>({n, c}, 1), w = random<2>({outputs, c}, 2), dy = random<2>({n, outputs}, 3);
                    auto dx = random<2>({n, c}, 4), dw = random<2>({outputs, c}, 5);
                    auto const xf = narrow(x), wf = narrow(w), dyf = narrow(dy);
                    auto dxf = narrow(dx), dwf = narrow(dw);
                    bool const few = outputs <= 16;   // of floats
                    BOOST_TEST(add_few(device{}, xf.data(), wf.data(), dyf.data(), dxf.data(), add, dwf.data(), n, c, outputs) == few);
                    wait();
                    BOOST_TEST(add_few(device{}, xf.data(), wf.data(), dyf.data(), static_cast<float*>(nullptr), add, dwf.data(), n, c, outputs) == few);
                    wait();
                    if (few) {
                        attnlab::gemm(ref{}, false, false, n, c, outputs, 1, dy.data(), outputs, w.data(), c, add, dx.data(), c);
                        attnlab::gemm(ref{}, true, false, outputs, c, n, 2, dy.data(), outputs, x.data(), c, 1, dw.data(), c);   // with dx, and without
                        check_close(dxf, dx, 1e-4), check_close(dwf, dw, 1e-4);
                    }

                    held<bfloat16, 2> const rounded(x), factor(w), upstream(dy);   // then w and dy are rounded as well
                    auto const expect = [&, n = n, c = c, outputs = outputs](tensor<double, 2>& by_x, double onto) {
                        attnlab::gemm(ref{}, false, false, n, c, outputs, 1, upstream.value.data(), outputs, factor.value.data(), c, onto, by_x.data(), c);
                        attnlab::gemm(ref{}, true, false, outputs, c, n, 1, upstream.value.data(), outputs, rounded.value.data(), c, 1, dw.data(), c);
                    };
                    expect(dx, 1);
                    BOOST_TEST(add_few(device{}, rounded.bits.data(), wf.data(), dyf.data(), dxf.data(), true, dwf.data(), n, c, outputs));
                    wait();
                    check_close(dxf, dx, 1e-4), check_close(dwf, dw, 1e-4);
                    held<bfloat16, 2> to(dx);
                    expect(to.value, add);
                    BOOST_TEST(add_few(device{}, rounded.bits.data(), wf.data(), dyf.data(), to.bits.data(), add, dwf.data(), n, c, outputs));
                    wait();
                    for (index_t i = 0; i < dxf.size(); ++i) dxf.data()[i] = static_cast<float>(to.bits.data()[i]);
                    check_close(dxf, to.value, 1.0 / 128), check_close(dwf, dw, 1e-4);
                }
    tensor<float, 2> const x({3, 8}), w({33, 8});
    tensor<float, 2> y({3, 33});
    BOOST_TEST(!multiply_few(device{}, x.data(), w.data(), y.data(), 3, 8, 33));
    BOOST_TEST(!multiply_few(device{}, x.data(), w.data(), y.data(), 3, 4, 2));   // rows that do not begin on sixteen bytes
    BOOST_TEST(!add_few(device{}, x.data(), w.data(), y.data(), static_cast<float*>(nullptr), false, nullptr, 3, 8, 33));
}

BOOST_AUTO_TEST_CASE(rounds_as_the_type_does) {
    for (index_t n : {1, 4, 103}) {
        auto const x = narrow(random<1>({n}, 1));
        tensor<bfloat16, 1> y({n});
        round(device{}, x, y);
        wait();
        for (index_t i = 0; i < n; ++i) BOOST_TEST(y(i).bits == bfloat16(x(i)).bits);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
