#pragma once
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/analysis/compression.hpp>
#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/summary.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// What compression costs each policy: the report's table, and the sentence that says where it tells policies apart.

namespace attnlab {

/// Compressions down, policies across: mean and 95 % interval of the loss change over seeds. Without rows when nothing was compressed.
inline table compression_table(manifest const& m, results const& all, std::vector<policy_summary> const& policies) {
    table t{"", {"change of loss, nats"}};
    for (auto const& p : policies) t.header.push_back(p.label);
    for (auto const& c : compressions()) {
        std::vector<std::string> cells = {c.name};
        bool measured = false;
        for (auto const& p : policies) {
            auto const e = all.last(p.name, {"compression." + c.name});
            measured = measured || !e.empty();
            cells.push_back(mean_and_interval(e, e.empty() ? 0 : m.seeds.size(), 3));
        }
        if (measured) t.add(std::move(cells));
    }
    return t;
}

/// Which compressions tell policies apart and which do not, by the intervals of the table and by `equal_loss`; and what was done.
inline std::string compression_text(results const& all, std::vector<policy_summary> const& policies) {
    std::vector<std::string> apart, alike;
    for (auto const& c : compressions()) {
        constexpr double infinite = std::numeric_limits<double>::infinity();
        double highest_low = -infinite, lowest_high = infinite, least = infinite, largest = -infinite;
        std::size_t intervals = 0;
        for (auto const& p : policies) {
            auto const e = all.last(p.name, {"compression." + c.name});
            if (e.count == 0 || !e.has_interval()) continue;
            highest_low = std::max(highest_low, e.mean - e.half_width), lowest_high = std::min(lowest_high, e.mean + e.half_width);
            least = std::min(least, e.mean), largest = std::max(largest, e.mean);
            ++intervals;
        }
        if (intervals >= 2) (highest_low > lowest_high && largest - least > equal_loss ? apart : alike).push_back(c.name);
    }
    std::string out = "Weights (W) and inputs (A) of the Linears of the blocks, moved to a symmetric AbsMax grid of so many bits, one grid a tensor; or the share of each "
                      "matrix with the least magnitudes set to zero. Head and embeddings stay. ";
    if (!alike.empty()) out += "No contrast under " + listed(alike) + ": the intervals of all policies overlap, or their means lie within " + cell(equal_loss) + " nats. ";
    if (!apart.empty()) out += "Under " + listed(apart) + " the intervals of at least two policies stand apart. ";
    if (alike.empty() && apart.empty()) out += "Without intervals nothing is said of a contrast. ";
    return out + "The paper's contrast is one of models with massive activations; where a model has none, none is to be expected.";
}

}  // namespace attnlab
