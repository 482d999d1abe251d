#pragma once
#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/views/rows_survey.hpp>
#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/analysis/views/weight_survey.hpp>

/// \file
/// Findings of a survey as sentences.

namespace attnlab {

/// "key 0 'The'", "keys 0 'The', 3 '.' and 9 more".
inline std::string keys_text(token_sequences const& x, std::vector<index_t> const& keys) {
    constexpr std::size_t most = 6;
    std::vector<std::string> words;
    for (std::size_t k = 0; k < std::min(most, keys.size()); ++k) words.push_back(token_mark(x, keys[k]));
    if (keys.size() > most) words.push_back(text(keys.size() - most, " more"));
    return named("key", words);
}

/// In which layers a site has outliers; without any, where it comes nearest.
/// \param of  what its channels are: "channel", "neuron"
template <class Site>
std::string outliers_sentence(rows_survey<Site> const& s, token_sequences const& x, std::string const& where, char const* of) {
    auto const set = s.outliers();
    std::set<index_t> layers;
    for (auto const& e : set) layers.insert(e.at[1]);
    auto const rule = text(number(s.factor()), " times the mean |x|");
    if (!layers.empty())
        return text(where, ": outliers (above ", rule, ") in ",
                    named("layer", std::vector<index_t>(layers.begin(), layers.end())), "; ", set.size(), " values of ",
                    plural(x.count(), "sequence"), ".");
    index_t best = s.layers().begin()->first;
    for (auto const& [l, seen] : s.layers())
        if (seen.first.max_over_mean() > s.at(best).first.max_over_mean()) best = l;
    auto const& top = s.at(best).largest.at(0);
    return text(where, ": no outlier by the rule of ", rule, "; the largest ratio of the first sequence is ",
                number(s.at(best).first.max_over_mean()), ", in layer ", best, " at token ", token_mark(x, top.token), ", ", of,
                " ", top.channel, ".");
}

inline std::string weight_sentence(weight_survey const& w, std::size_t layer) {
    auto const& d = w.down[layer];
    return text("The column of ", w.down_matrix, " that stands out most: ", d.top[0], " of layer ", layer,
                ", largest over mean |W| ", number(d.largest), ", where the median column has ", number(d.median), ".");
}

}  // namespace attnlab
