#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/attention_column.hpp>
#include <attnlab/analysis/outliers/sink.hpp>
#include <attnlab/observe/any_observer.hpp>

namespace attnlab {

/// Share of all that a head's queries give which goes to some keys; over the heads of a layer.
struct head_shares {
    std::vector<double> per_head;
    double mean = 0, low = 0, high = 0;
};

/// What is kept of attention: the column sums of the first sequence, (H,T) a layer, the outlier keys and sinks of all sequences,
/// and means. A pattern is never asked for: the sums come from the fused kernel.
class attention_survey {
public:
    struct layer {
        tensor<float, 2> sums;  ///< (H,T) of the first sequence: sum over queries of the weight of each key
        // Over sequences: of the mean over heads, the largest two sums and the median; share of the layer's own outlier keys by
        // head.
        running_mean top1, top2, median, outlier_share, lowest_share, highest_share;
    };
    /// Of the mean over heads of one sequence.
    struct column_sizes {
        double top1, top2, median;  ///< the median of an even count is the mean of the two middle ones, as numpy.median
    };

    explicit attention_survey(attention_column rule = {}, sink_rule sinks = {.eps = 0.3, .length = 0}, looked_at about = {})
        : rule_(rule), sink_(sinks), keys_(rule, about), sinks_(sinks, about) {}

    void see(seen_site const& x) {
        view<float const, 3> const sums(x.values.data(), {x.shape.at(0), x.shape.at(1), x.shape.at(2)});
        keys_(site::pattern_sums{}, x.layer, sums);
        sinks_(site::pattern_sums{}, x.layer, sums);
        for (index_t b = 0; b < sums.shape(0); ++b) add(layers_[x.layer], sums[b]);
    }

    bool empty() const { return layers_.empty(); }
    /// Whether a key's sum is negative somewhere: then weights have a sign, and a part of their sum is no share.
    bool has_negative_sums() const {
        return std::any_of(layers_.begin(), layers_.end(), [](auto const& l) { return std::any_of(l.second.sums.data(), l.second.sums.data() + l.second.sums.size(), [](float s) { return s < 0; }); });
    }
    std::map<index_t, layer> const& layers() const { return layers_; }
    layer const& at(index_t l) const { return layers_.at(l); }
    attention_column const& rule() const { return rule_; }
    sink_rule const& sinks_by() const { return sink_; }
    /// Attention outliers, (sequence, layer, key), and sinks, (sequence, layer, head, key), over all sequences.
    auto outliers() const { return keys_.set(); }
    auto sinks() const { return sinks_.set(); }

    /// Mean over heads of a key's column sum in the first sequence, for each key.
    static std::vector<double> head_mean(view<float const, 2> sums) {
        std::vector<double> out(static_cast<std::size_t>(sums.shape(1)));
        for (index_t h = 0; h < sums.shape(0); ++h)
            for (index_t j = 0; j < sums.shape(1); ++j)
                out[static_cast<std::size_t>(j)] += static_cast<double>(sums(h, j)) / static_cast<double>(sums.shape(0));
        return out;
    }
    static column_sizes sizes_of(std::vector<double> column) {
        std::sort(column.begin(), column.end());
        auto const n = column.size();
        return {column[n - 1], n > 1 ? column[n - 2] : 0, (column[(n - 1) / 2] + column[n / 2]) / 2};
    }
    static head_shares shares_of(view<float const, 2> sums, std::vector<index_t> const& keys) {
        head_shares out;
        for (index_t h = 0; h < sums.shape(0); ++h) {
            double all = 0, mine = 0;
            for (float s : sums[h]) all += static_cast<double>(s);
            for (index_t j : keys) mine += static_cast<double>(sums(h, j));
            out.per_head.push_back(mine / all);
        }
        auto const n = static_cast<double>(out.per_head.size());
        out.mean = std::accumulate(out.per_head.begin(), out.per_head.end(), 0.) / n;
        out.low = *std::min_element(out.per_head.begin(), out.per_head.end());
        out.high = *std::max_element(out.per_head.begin(), out.per_head.end());
        return out;
    }

    /// The keys of the first sequence that are looked after in every layer: its attention outliers in any layer; where there are
    /// none, the two with the largest sums over all layers.
    std::vector<index_t> found_keys() const {
        std::vector<index_t> keys;
        for (auto const& e : outliers())
            if (e.at[0] == 0) keys.push_back(e.at[2]);
        std::sort(keys.begin(), keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        if (!keys.empty()) return keys;
        std::vector<double> total;
        for (auto const& [l, seen] : layers_) {
            auto const column = head_mean(seen.sums);
            total.resize(column.size());
            for (std::size_t j = 0; j < column.size(); ++j) total[j] += column[j];
        }
        std::vector<index_t> order(total.size());
        std::iota(order.begin(), order.end(), index_t{0});
        auto const shown = std::min<std::size_t>(2, order.size());
        std::partial_sort(
            order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(),
            [&](index_t a, index_t b) { return total[static_cast<std::size_t>(a)] > total[static_cast<std::size_t>(b)]; });
        order.resize(shown);
        std::sort(order.begin(), order.end());
        return order;
    }

private:
    void add(layer& l, view<float const, 2> seen) {
        tensor<float, 2> sums(seen.shape());
        std::transform(seen.begin(), seen.end(), sums.data(),
                       [](float s) { return std::isfinite(s) ? s : 0.f; });  // as the rules count them
        if (l.sums.size() == 0) l.sums = sums;
        auto const size = sizes_of(head_mean(sums));
        l.top1.add(size.top1), l.top2.add(size.top2), l.median.add(size.median);
        std::vector<index_t> keys;
        for (auto const& c : rule_.reduce(0, view<float const, 2>(sums)).found) keys.push_back(c.at[1]);
        auto const shares = shares_of(sums, keys);
        l.outlier_share.add(shares.mean), l.lowest_share.add(shares.low), l.highest_share.add(shares.high);
    }

    attention_column rule_;
    sink_rule sink_;
    outlier_finder<float, attention_column, site::pattern_sums> keys_;
    outlier_finder<float, sink_rule, site::pattern_sums> sinks_;
    std::map<index_t, layer> layers_;
};

}  // namespace attnlab
