#pragma once
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/massive.hpp>
#include <attnlab/observe/any_observer.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// Massive activations set to their mean or to zero after a layer, the intervention of 2402.17762 and 2502.06415 (lib/hook.py), on any model
/// and at channels and tokens that were found.

namespace attnlab {

/// What massive activations of a layer's output are: their channels, and in each the value at position 0 and at other positions.
struct massive_values {
    index_t layer = -1;
    std::map<index_t, double> first, other;   ///< by channel
    std::set<std::pair<index_t, index_t>> at;   ///< (sequence, position) of those found
};

/// Looks for massive activations in the output of every layer, by the rule with the median: in a window of a few tokens the mean of 2502.06415's
/// rule is made by the outliers themselves, and none is left.
class find_massive final : public any_observer {
public:
    explicit find_massive(massive const& rule = {}) : rule_(rule) {}
    bool asks(std::string_view site, index_t) const override { return site == site::resid_post::name; }
    void see(seen_site const& x) override {
        index_t const B = x.shape[0], T = x.shape[1], C = x.shape[2];
        for (index_t b = 0; b < B; ++b) {
            view<float const, 2> const h(x.values.data() + b * T * C, {T, C});
            for (auto const& o : rule_.reduce(x.first_sequence + b, h).found) add(x.layer, o.at[0], o.at[1], o.at[2], o.value);
        }
    }

    /// Of layer `layer`, or without one of the first that has any; none where none has.
    std::optional<massive_values> found(std::optional<index_t> layer = {}) const {
        auto const at = layer ? layers_.find(*layer) : layers_.begin();
        if (at == layers_.end()) return {};
        massive_values out;
        out.layer = at->first, out.at = at->second.at;
        for (auto const& [c, m] : at->second.means[0]) out.first[c] = m.mean();
        for (auto const& [c, m] : at->second.means[1]) out.other[c] = m.mean();
        return out;
    }
    /// Layers in whose output there are any.
    std::vector<index_t> layers() const {
        std::vector<index_t> out;
        for (auto const& [l, s] : layers_) out.push_back(l);
        return out;
    }

private:
    struct of_layer {
        std::map<index_t, running_mean> means[2];   // at position 0, elsewhere
        std::set<std::pair<index_t, index_t>> at;
    };
    void add(index_t layer, index_t sequence, index_t position, index_t channel, double value) {
        auto& s = layers_[layer];
        s.means[position > 0][channel].add(value);
        s.at.insert({sequence, position});
    }

    massive rule_;
    std::map<index_t, of_layer> layers_;
};

/// Sets those channels after a layer: at position 0 to `factor` times the mean there, at other positions to `factor` times the mean
/// elsewhere. `factor` 1 keeps the values and takes away what varies in them, 0 takes them away.
class reset_massive final : public any_observer {
public:
    /// Which tokens besides position 0.
    enum class rule {
        found,       ///< those of massive_values::at
        reference,   ///< the one with the largest magnitude of the sequence, unless it is at position 0 (lib/hook.py)
    };

    reset_massive(massive_values values, double factor, rule which = rule::found) : values_(std::move(values)), factor_(factor), rule_(which) {}

    bool asks(std::string_view site, index_t layer) const override { return site == site::resid_post::name && layer == values_.layer; }
    void see(seen_site const& x) override {
        require(!x.alterable.empty(), "intervention: what stands at ", x.site, " cannot be changed in this model");
        index_t const B = x.shape[0], T = x.shape[1], C = x.shape[2];
        for (index_t b = 0; b < B; ++b) {
            float* const h = x.alterable.data() + b * T * C;
            if (rule_ == rule::reference) {
                auto const largest = std::max_element(h, h + T * C, [](float a, float c) { return std::abs(a) < std::abs(c); }) - h;
                if (largest / C != 0) set(h + largest / C * C, values_.other);
                set(h, values_.first);
            } else {
                for (index_t t = 0; t < T; ++t)
                    if (values_.at.contains({x.first_sequence + b, t})) set(h + t * C, t == 0 ? values_.first : values_.other);
            }
        }
    }

private:
    void set(float* row, std::map<index_t, double> const& to) const {
        for (auto const& [c, value] : to) row[c] = static_cast<float>(factor_ * value);
    }

    massive_values values_;
    double factor_;
    rule rule_;
};

}  // namespace attnlab
