#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/outlier_set.hpp>
#include <attnlab/core/error.hpp>

namespace attnlab {

/// Super weights (Yu et al. 2411.07191): an outlier of the down projection's input, neuron i, and one of its output, channel o,
/// at one token of one layer point at W[o,i]. The paper leaves the rule for the two to the reader: any rule here, `massive` by
/// default. The largest pair of a layer, as in the paper, or all pairs. The value is |input| * |output|.
struct super_weight {
    static constexpr std::string_view name = "super_weight";
    bool largest_only = true;

    using inputs = outlier_set<axis::sequence, axis::layer, axis::token, axis::neuron>;
    using outputs = outlier_set<axis::sequence, axis::layer, axis::token, axis::channel>;
    using weights = outlier_set<axis::layer, axis::row, axis::column>;

    /// \throws error when the sets come from different rules or parameters
    weights find(inputs const& in, outputs const& out) const {
        auto const &a = in.about(), &b = out.about();
        require(a.rule == b.rule && a.parameters == b.parameters, name,
                ": expected inputs and outputs by one rule with one set of parameters");
        std::map<index_t, std::vector<weights::element>> pairs;   // by layer
        auto const o_before = [](auto const& o, auto const& i) {
            return std::equal(o.at.begin(), o.at.begin() + 3, i.at.begin()) ? false : o.at < i.at;
        };
        for (auto const& i : in)   // both are in order of (sequence, layer, token)
            for (auto o = std::lower_bound(out.begin(), out.end(), i, o_before);
                 o != out.end() && std::equal(o->at.begin(), o->at.begin() + 3, i.at.begin()); ++o)
                pairs[i.at[1]].push_back({{i.at[1], o->at[3], i.at[3]}, std::abs(i.value) * std::abs(o->value)});
        std::vector<weights::element> found;
        for (auto const& [layer, all] : pairs) {
            if (largest_only)
                found.push_back(
                    *std::max_element(all.begin(), all.end(), [](auto const& x, auto const& y) { return x.value < y.value; }));
            else found.insert(found.end(), all.begin(), all.end());
        }
        provenance about = a;
        about.rule = std::string(name);
        about.parameters.emplace_back("of", a.rule);
        about.parameters.emplace_back("largest_only", largest_only);
        about.site += " and " + b.site;
        about.values += b.values, about.not_finite += b.not_finite;
        return {std::move(found),
                {in.template range<axis::layer>(), out.template range<axis::channel>(), in.template range<axis::neuron>()},
                about};
    }
};

}  // namespace attnlab
