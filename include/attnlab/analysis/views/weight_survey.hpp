#pragma once
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <attnlab/analysis/outliers/weight_ratio.hpp>
#include <attnlab/observe/language_model.hpp>

namespace attnlab {

/// Columns of the MLP's last matrix in one layer, by the ratio of largest to mean |W|.
struct down_columns {
    double largest = 0, median = 0;  ///< ratio; the median of an even count is the lower one, as torch.median
    std::vector<index_t> top;        ///< the three columns (neurons) with the largest ratio, largest first
    std::vector<double> top_ratio;
    std::vector<index_t> top_row;    ///< the output channel at which each of them is largest
    std::vector<double> top_weight;  ///< the weight there
};

/// What stands out in the weights of the blocks. Matrices are read one at a time.
struct weight_survey {
    using found = outlier_set<axis::layer, axis::row, axis::column>;
    std::vector<std::string> modules;
    std::vector<std::vector<double>> ratios;  ///< by module and layer: the largest ratio of a row or a column
    std::vector<double> mean_of_modules;      ///< by layer: the paper's "reference median", which its code takes as a mean
    std::string down_matrix;                  ///< empty for a mixture of experts
    std::vector<down_columns> down;           ///< by layer; empty for a mixture
    std::optional<found> outliers;            ///< of the down matrix
};

/// \param every_module  all matrices of the blocks, or the down matrix alone
inline weight_survey survey_weights(language_model& model, bool every_module, weight_ratio const& rule = {}) {
    auto const& facts = model.facts();
    weight_survey out;
    out.down_matrix = facts.down_matrix;
    if (every_module)
        out.modules = facts.weights;
    else if (!facts.down_matrix.empty())
        out.modules = {facts.down_matrix};
    out.ratios.resize(out.modules.size());
    outlier_finder<float, weight_ratio, site::weight<"mlp.down_proj">> finder(rule,
                                                                              {.dtype = facts.stored, .layers = facts.layers});
    for (index_t l = 0; l < facts.layers; ++l) {
        double sum = 0;
        for (std::size_t m = 0; m < out.modules.size(); ++m) {
            auto const held = model.weight(l, out.modules[m]);
            view<float const, 2> const w = held;
            auto const columns = ratios_of(w, line::column), rows = ratios_of(w, line::row);
            double const largest = std::max(*std::max_element(columns.ratio.begin(), columns.ratio.end()),
                                            *std::max_element(rows.ratio.begin(), rows.ratio.end()));
            out.ratios[m].push_back(largest);
            sum += largest;
            if (out.modules[m] != facts.down_matrix) continue;
            finder({}, l, w);
            auto const order = columns.order();
            auto copy = columns.ratio;
            down_columns d{columns.ratio[order[0]], lower_median(copy), {}, {}, {}, {}};
            for (std::size_t k = 0; k < std::min<std::size_t>(3, order.size()); ++k) {
                auto const i = order[k];
                d.top.push_back(static_cast<index_t>(i));
                d.top_ratio.push_back(columns.ratio[i]);
                d.top_row.push_back(columns.at[i]);
                d.top_weight.push_back(static_cast<double>(w(columns.at[i], static_cast<index_t>(i))));
            }
            out.down.push_back(std::move(d));
        }
        if (every_module) out.mean_of_modules.push_back(sum / static_cast<double>(out.modules.size()));
    }
    if (!out.down.empty()) out.outliers = finder.set();
    return out;
}

}  // namespace attnlab
