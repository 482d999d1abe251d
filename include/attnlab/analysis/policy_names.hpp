#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// \file
/// The six attentions of 2502.06415 as a reader knows them. Any other policy goes by its own name.

namespace attnlab {

/// What the paper reports of an attention: whether outliers grow.
enum class paper_claim { outliers, no_outliers };

struct known_policy {
    std::string_view name, letter, title;
    paper_claim claim;
};

/// Letters and claims as in the figure of variants of 2502.06415.
inline constexpr std::array<known_policy, 6> known_policies{{
    {"softmax", "a", "softmax", paper_claim::outliers},
    {"value_bias", "b", "fixed value bias", paper_claim::outliers},
    {"context_bias", "c", "context-aware bias", paper_claim::outliers},
    {"attention_bias", "d", "attention bias k', v'", paper_claim::no_outliers},
    {"context_scale", "e", "context-aware scaling", paper_claim::no_outliers},
    {"sigmoid", "f", "sigmoid", paper_claim::no_outliers},
}};

inline known_policy const* find_known_policy(std::string_view name) {
    auto const it = std::find_if(known_policies.begin(), known_policies.end(), [&](auto const& p) { return p.name == name; });
    return it == known_policies.end() ? nullptr : &*it;
}

/// "(a) softmax", or the name itself.
inline std::string policy_label(std::string const& name) {
    auto const* known = find_known_policy(name);
    return known ? "(" + std::string(known->letter) + ") " + name : name;
}

/// A colour for each policy: the six keep theirs in every figure of every report, others follow.
inline std::size_t policy_colour(std::string const& name, std::vector<std::string> const& all) {
    if (auto const* known = find_known_policy(name)) return static_cast<std::size_t>(known - known_policies.data());
    std::size_t colour = known_policies.size();
    for (auto const& other : all) {
        if (other == name) break;
        colour += find_known_policy(other) == nullptr;
    }
    return colour;
}

}  // namespace attnlab
