#include <attnlab/core/buffer.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/core/xt.hpp>

#ifndef XTENSOR_USE_XSIMD
#error "expected XTENSOR_USE_XSIMD from attnlab::attnlab: all translation units must agree on it"
#endif
#ifndef _OPENMP
#error "expected OpenMP from attnlab::attnlab"
#endif

bool learns();

// The identity times random numbers, through the BLAS: what goes in comes out.
int main() {
    attnlab::tensor<double, 2> identity({2, 2}, 0.0), random({2, 3}), product({2, 3}, 0.0);
    identity(0, 0) = identity(1, 1) = 1;
    auto const key = attnlab::rng::stream(1, "outside");
    for (std::size_t n = 0; n < 6; ++n) random.data()[n] = attnlab::rng::uniform(key, n);
    auto result = attnlab::as_xt(*product);
    xt::blas::gemm(attnlab::as_xt(*identity), attnlab::as_xt(*random), result);
    return learns() && product(0, 0) > 0 && xt::allclose(result, attnlab::as_xt(*random)) ? 0 : 1;
}
