#pragma once
#include <cmath>
#include <vector>

#include <attnlab/core/buffer.hpp>

namespace attnlab {

/// cos and sin of what pair p of a head at position t is turned by, times a factor: (T, pairs). Angles are computed in double.
template <class S>
struct rotation_angles {
    tensor<S, 2> cosines, sines;
    bool neighbours = false;   ///< pairs are (2 p, 2 p + 1), as RoFormer has them, else (p, p + pairs)

    rotation_angles() = default;
    rotation_angles(std::vector<double> const& frequencies, double factor, index_t T) {
        auto const pairs = static_cast<index_t>(frequencies.size());
        cosines.resize({T, pairs}), sines.resize({T, pairs});
        for (index_t t = 0; t < T; ++t)
            for (index_t p = 0; p < pairs; ++p) {
                double const angle = static_cast<double>(t) * frequencies[static_cast<std::size_t>(p)];
                cosines(t, p) = static_cast<S>(factor * std::cos(angle));
                sines(t, p) = static_cast<S>(factor * std::sin(angle));
            }
    }
    /// The turn back, times the same factor: what gradients take.
    rotation_angles reversed() const {
        auto out = *this;
        for (S& s : *out.sines) s = -s;
        return out;
    }
    index_t pairs() const { return cosines.shape(1); }
};

}  // namespace attnlab
