#pragma once
#include <algorithm>
#include <string_view>

#include <attnlab/analysis/attention_scores.hpp>
#include <attnlab/analysis/outliers/find.hpp>

/// \file
/// Rules about columns of attention: both keep column sums and read them as such where somebody else made them
/// (site::pattern_sums).

namespace attnlab {

/// Attention sinks (Gu et al. 2410.10781, and their code): alpha_j = 1/(T-j) sum_{i>=j} P[i,j] > `eps`, per head.
struct sink_rule {
    static constexpr std::string_view name = "sink";
    static constexpr bool reads(site_kind k) { return k == site_kind::pattern || k == site_kind::pattern_sums; }
    template <class Site>
    using axes = axis_list<axis::sequence, axis::layer, axis::head, axis::key>;

    double eps = 0.3;
    index_t length = 64;     ///< T of the formula: the sequence's first tokens; 0: all of them. The paper and its code use 64.
    bool absolute = false;   ///< shares of |P|, for weights with a sign (Attention-Sink#1)

    rule_parameters parameters() const { return {{"eps", eps}, {"length", length}, {"absolute", absolute}}; }

    using reducer = candidates<3>;   // (sequence, head, key)

    /// (H,T,T)
    template <class T>
    reducer reduce(index_t sequence, view<T const, 3> p) const {
        reducer r;
        index_t const used = length > 0 ? std::min(length, p.shape(1)) : p.shape(1);
        for (index_t h = 0; h < p.shape(0); ++h) {
            attention_column_sums sums;
            sums.add(view<T const, 2>(p[h].data(), {used, p.shape(2)}), absolute);
            judge(sequence, h, sums, r);
        }
        return r;
    }
    /// (H,T), sums over all T queries. \throws error for sums of more tokens than `length`, or where shares of |P| are asked
    template <class T>
    reducer reduce(index_t sequence, view<T const, 2> sums) const {
        require(length == 0 || sums.shape(1) <= length, name, ": length ", length, ": expected 0 where sums of ", sums.shape(1),
                " queries are all there is");
        require(!absolute, name, ": absolute: expected whole weights, sums of columns do not tell");
        reducer r;
        for (index_t h = 0; h < sums.shape(0); ++h) judge(sequence, h, attention_column_sums(sums[h]), r);
        return r;
    }

private:
    void judge(index_t sequence, index_t h, attention_column_sums const& sums, reducer& r) const {
        r.tally::merge(sums);
        for (index_t j = 0; j < sums.length(); ++j)
            if (double const alpha = sums.share(j); alpha > eps) r.add({sequence, h, j}, alpha);
    }
};

}  // namespace attnlab
