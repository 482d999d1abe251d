#pragma once
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attnlab {

/// Names that a wrong one may have been meant as, nearest first, at most three (Levenshtein distance).
inline std::vector<std::string> nearest_names(std::string_view wrong, std::vector<std::string> const& names) {
    auto const distance = [&](std::string_view name) {
        std::vector<std::size_t> row(name.size() + 1);
        std::iota(row.begin(), row.end(), std::size_t{0});
        for (std::size_t i = 0; i < wrong.size(); ++i) {
            std::size_t diagonal = std::exchange(row[0], i + 1);
            for (std::size_t j = 0; j < name.size(); ++j)
                diagonal = std::exchange(row[j + 1], std::min({row[j + 1] + 1, row[j] + 1, diagonal + (wrong[i] != name[j])}));
        }
        return row.back();
    };
    std::vector<std::pair<std::size_t, std::string>> near;
    for (auto const& name : names)
        if (auto const d = distance(name); d <= std::max<std::size_t>(2, name.size() / 3)) near.emplace_back(d, name);
    std::stable_sort(near.begin(), near.end(), [](auto const& a, auto const& b) { return a.first < b.first; });
    std::vector<std::string> out;
    for (std::size_t i = 0; i < std::min<std::size_t>(3, near.size()); ++i) out.push_back(near[i].second);
    return out;
}

}  // namespace attnlab
