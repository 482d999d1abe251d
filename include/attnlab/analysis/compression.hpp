#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/site.hpp>

/// \file
/// What compression costs: AbsMax fake quantisation (as the weight table of 2502.06415 has it) and magnitude pruning of the Linears in the blocks;
/// head and embeddings stay as they are. "Fake": numbers are moved to the grid of n bits and stay floating-point, as do the products.

namespace attnlab {

/// Moves every number to the nearest of -s L, ..., -s, 0, s, ..., s L, where L = 2^(bits-1) - 1 and s L is the largest magnitude in `x`: one
/// symmetric grid for the whole tensor. Halves go to the even multiple, as torch.round does. The grid is that of the finite numbers; NaN and
/// infinities stay what they are, so that a loss still shows them. \throws usage_error unless bits is 2 to 16
template <std::floating_point T>
void quantise(std::span<T> x, int bits) {
    if (bits < 2 || bits > 16) fail<usage_error>("quantise: ", bits, " bits: expected 2 to 16");
    double const levels = (1 << (bits - 1)) - 1;
    double largest = 0;
    for (T e : x)
        if (std::isfinite(e)) largest = std::max(largest, std::abs(static_cast<double>(e)));
    if (largest == 0) return;
    for (T& e : x)
        if (std::isfinite(e)) e = static_cast<T>(std::nearbyint(static_cast<double>(e) * levels / largest) / levels * largest);
}

/// Sets the share `fraction` of `x` with the least magnitudes to zero: round(fraction n) numbers, halves to even; of equal magnitudes the first.
/// NaN counts as infinite: it is pruned last. \throws usage_error unless fraction is 0 to 1
template <std::floating_point T>
void prune(std::span<T> x, double fraction) {
    if (!(0 <= fraction && fraction <= 1)) fail<usage_error>("prune: ", fraction, ": expected a fraction, 0 to 1");
    auto const count = static_cast<std::size_t>(std::nearbyint(fraction * static_cast<double>(x.size())));
    std::vector<std::size_t> order(x.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    auto const magnitude = [&](std::size_t i) { return std::isnan(x[i]) ? std::numeric_limits<T>::infinity() : std::abs(x[i]); };
    if (count < x.size())
        std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                         [&](std::size_t a, std::size_t b) { return std::pair(magnitude(a), a) < std::pair(magnitude(b), b); });
    for (std::size_t i = 0; i < count; ++i) x[order[i]] = 0;
}

/// What is done to the Linears of the blocks. Bits of 0: as trained.
struct compression {
    std::string name = {};
    int weight_bits = 0, activation_bits = 0;   ///< of weights, and of the inputs they are multiplied with
    double pruned = 0;                          ///< fraction of each matrix, before its weights are quantised
};

/// Those that are compared.
inline std::vector<compression> compressions() {
    return {{"W8A8", 8, 8}, {"W8", 8}, {"W4", 4}, {"A8", 0, 8}, {"A4", 0, 4}, {"prune50", 0, 0, 0.5}, {"prune70", 0, 0, 0.7}};
}

/// In words: "weights on a grid of 8 bits".
inline std::string description(compression const& c) {
    std::vector<std::string> words;
    if (c.pruned != 0) words.push_back(text("the ", 100 * c.pruned, " % of each matrix with the least magnitudes set to zero"));
    if (c.weight_bits != 0) words.push_back(text("weights on an AbsMax grid of ", c.weight_bits, " bits"));
    if (c.activation_bits != 0) words.push_back(text("inputs on an AbsMax grid of ", c.activation_bits, " bits"));
    return joined(words, ", ");
}

/// Weights compressed, each a tensor of its own, for as long as this lives; then they are what they were, bit for bit. The parameters must
/// outlive it.
template <class T>
class compressed_weights {
public:
    compressed_weights(std::vector<parameter<T>*> weights, compression const& c) : weights_(std::move(weights)) {
        if (c.weight_bits == 0 && c.pruned == 0) return;
        for (auto const* w : weights_) before_.emplace_back(w->value.begin(), w->value.end());
        try {
            for (auto* w : weights_) {
                if (c.pruned != 0) prune(w->value, c.pruned);
                if (c.weight_bits != 0) quantise(w->value, c.weight_bits);
            }
        } catch (...) {
            restore();
            throw;
        }
    }
    compressed_weights(compressed_weights const&) = delete;
    compressed_weights& operator=(compressed_weights const&) = delete;
    ~compressed_weights() { restore(); }

private:
    void restore() {
        for (std::size_t i = 0; i < before_.size(); ++i) std::copy(before_[i].begin(), before_[i].end(), weights_[i]->value.begin());
    }

    std::vector<parameter<T>*> weights_;
    std::vector<std::vector<T>> before_;   // empty: nothing was changed
};

/// An observer that quantises what the Linears of every block are given: a grid for each tensor (B, T, C), so that a loss hangs a little on B.
class quantised_inputs {
public:
    using alters = site::linear_inputs;
    explicit quantised_inputs(int bits) : bits_(bits) {}

    template <class Site, class T>
    void operator()(Site, index_t, view<T, 3> x) const {
        quantise(std::span(x.data(), static_cast<std::size_t>(x.size())), bits_);
    }

private:
    int bits_;
};

}  // namespace attnlab
