#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/observer.hpp>
#include <attnlab/observe/reduce.hpp>

namespace attnlab {

/// -log softmax(row)[target], nats.
template <class T>
double cross_entropy(view<T const, 1> row, std::int32_t target) {
    require(0 <= target && target < row.shape(0), "losses: target ", target, ": expected 0 to ", row.shape(0) - 1);
    double const top = static_cast<double>(*std::max_element(row.begin(), row.end()));
    double sum = 0;
    for (T x : row) sum += std::exp(static_cast<double>(x) - top);
    return top + std::log(sum) - static_cast<double>(row(target));
}

/// Mean cross-entropy of each sequence, in nats; targets of -1 do not count. \param logits  (B, T, V) \param targets  (B, T)
template <class T>
std::vector<double> sequence_losses(view<T const, 3> logits, view<std::int32_t const, 2> targets) {
    std::vector<double> out;
    for (index_t b = 0; b < targets.shape(0); ++b) {
        running_mean mean;
        for (index_t t = 0; t < targets.shape(1); ++t)
            if (targets(b, t) != -1) mean.add(cross_entropy(logits[b][t], targets(b, t)));
        out.push_back(mean.mean());
    }
    return out;
}

/// Mean of each sequence, in nats, of losses whose target is not -1. \param losses, targets  (N, T)
inline std::vector<double> sequence_means(view<double const, 2> losses, view<std::int32_t const, 2> targets) {
    std::vector<double> out;
    for (index_t n = 0; n < targets.shape(0); ++n) {
        running_mean mean;
        for (index_t t = 0; t < targets.shape(1); ++t)
            if (targets(n, t) != -1) mean.add(losses(n, t));
        out.push_back(mean.mean());
    }
    return out;
}

/// Cross-entropy by position, in nats, over any number of sequences; targets of -1 do not count.
class position_losses {
public:
    /// \param logits  (B, T, V) \param targets  (B, T)
    template <class T>
    void add(view<T const, 3> logits, view<std::int32_t const, 2> targets) {
        require(logits.shape(0) == targets.shape(0) && logits.shape(1) == targets.shape(1),
                "position losses: expected logits of as many tokens as targets");
        at_.resize(std::max(at_.size(), static_cast<std::size_t>(targets.shape(1))));
        for (index_t b = 0; b < targets.shape(0); ++b)
            for (index_t t = 0; t < targets.shape(1); ++t) {
                auto const target = targets(b, t);
                if (target == -1) continue;
                at_[static_cast<std::size_t>(t)].add(cross_entropy(logits[b][t], target));
            }
    }
    void merge(position_losses const& o) {
        at_.resize(std::max(at_.size(), o.at_.size()));
        for (std::size_t t = 0; t < o.at_.size(); ++t) at_[t].merge(o.at_[t]);
    }

    std::vector<running_mean> const& by_position() const { return at_; }
    double mean() const {
        running_mean all;
        for (auto const& m : at_) all.merge(m);
        return all.mean();
    }
    double perplexity() const { return std::exp(mean()); }

private:
    std::vector<running_mean> at_;
};

/// The losses of one batch, with an observer that may change what it likes on the way.
template <class Model, observer Observer>
position_losses losses_by_position(Model& model, view<std::int32_t const, 2> x, view<std::int32_t const, 2> y, Observer& o) {
    position_losses out;
    out.add(model.logits(x, o), y);
    return out;
}

}  // namespace attnlab
