#pragma once
#include <string_view>
#include <type_traits>

#include <attnlab/analysis/attention_scores.hpp>
#include <attnlab/analysis/outliers/find.hpp>

namespace attnlab {

/// Whose column sums rule attention_column looks at; what it finds has an axis more for each head.
enum class column_heads { mean, each };

/// Attention outliers of the paper (2502.06415): a_j = sum_i mean_h P[h,i,j] >= `share` * T. A late key is seen by few queries
/// and can never pass; `normalised` asks a_j / (T-j) >= share in its place. `basic_attention_column<column_heads::each>` judges every
/// head by itself.
template <column_heads Of>
struct basic_attention_column {
    static constexpr std::string_view name = Of == column_heads::mean ? "attention_column" : "attention_column_per_head";
    static constexpr bool reads(site_kind k) { return k == site_kind::pattern || k == site_kind::pattern_sums; }
    template <class Site>
    using axes = std::conditional_t<Of == column_heads::mean, axis_list<axis::sequence, axis::layer, axis::key>,
                                    axis_list<axis::sequence, axis::layer, axis::head, axis::key>>;

    double share = 0.1;
    bool normalised = false;

    rule_parameters parameters() const { return {{"share", share}, {"normalised", normalised}}; }

    using reducer = candidates<Of == column_heads::mean ? 2 : 3>;   // (sequence, key) or (sequence, head, key)

    /// (H,T,T), or the column sums (H,T)
    template <class T, std::size_t N>
    reducer reduce(index_t sequence, view<T const, N> p) const {
        reducer r;
        attention_column_sums all;
        for (index_t h = 0; h < p.shape(0); ++h) {
            attention_column_sums one;
            if constexpr (N == 3) one.add(p[h]);
            else one = attention_column_sums(p[h]);
            r.tally::merge(one);
            if constexpr (Of == column_heads::mean) all.merge(one);
            else judge(one, 1, [&](index_t j, double a) { r.add({sequence, h, j}, a); });
        }
        if constexpr (Of == column_heads::mean)
            judge(all, static_cast<double>(p.shape(0)), [&](index_t j, double a) { r.add({sequence, j}, a); });
        return r;
    }

private:
    void judge(attention_column_sums const& sums, double number_of_heads, auto&& found) const {
        for (index_t j = 0; j < sums.length(); ++j) {
            double const a = sums.sum(j) / number_of_heads,
                         queries = static_cast<double>(normalised ? sums.length() - j : sums.length());
            if (a >= share * queries) found(j, a);
        }
    }
};
using attention_column = basic_attention_column<column_heads::mean>;
using attention_column_per_head = basic_attention_column<column_heads::each>;

}  // namespace attnlab
