#pragma once

/// \file
/// Where a model runs. A device is a template argument of layers and models; kernels are overloads on it.

namespace attnlab {

/// The oracle: xtensor expressions in double, written to be read.
struct ref {
    using scalar = double;
    static constexpr char const* name = "ref";
};

/// Fused, tiled, vectorised, threaded; float.
struct cpu {
    using scalar = float;
    static constexpr char const* name = "cpu";
};

}  // namespace attnlab
