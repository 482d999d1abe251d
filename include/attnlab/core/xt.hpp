#pragma once

/// \file
/// The one header that spells xtensor: its folders moved in 0.26. Views become adaptors here; storage stays attnlab's own, since
/// `y = expr` replaces an xtensor container's storage (write through `xt::noalias`).

// g++ 12 takes its own AVX-512 intrinsics for uses of uninitialised values (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#if __has_include(<xtensor/xadapt.hpp>)
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xbuilder.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#else
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/core/xnoalias.hpp>
#include <xtensor/generators/xbuilder.hpp>
#include <xtensor/views/xview.hpp>
#endif
#include <xtensor-blas/xlinalg.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <attnlab/core/view.hpp>

namespace attnlab {

/// A view as an xtensor expression over the same memory.
template <class T, std::size_t N>
auto as_xt(view<T, N> v) {
    std::array<std::size_t, N> shape;
    for (std::size_t a = 0; a < N; ++a) shape[a] = static_cast<std::size_t>(v.shape(a));
    return xt::adapt(v.data(), static_cast<std::size_t>(v.size()), xt::no_ownership(), shape);
}

}  // namespace attnlab
