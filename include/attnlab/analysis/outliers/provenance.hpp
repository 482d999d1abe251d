#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <attnlab/core/view.hpp>

/// \file
/// Where an outlier set comes from: without its rule, its parameters and what was looked at, a set says nothing.

namespace attnlab {

/// A parameter of a rule, by name, as it was.
struct rule_parameter {
    std::string name;
    std::variant<double, std::int64_t, bool, std::string> value;

    template <class T>
    rule_parameter(std::string_view name_, T const& v) : name(name_) {
        if constexpr (std::is_same_v<T, bool>) value = v;
        else if constexpr (std::is_integral_v<T>) value = static_cast<std::int64_t>(v);
        else if constexpr (std::is_floating_point_v<T>) value = static_cast<double>(v);
        else value = std::string(v);
    }
    bool operator==(rule_parameter const&) const = default;
};
using rule_parameters = std::vector<rule_parameter>;

/// What a tensor cannot tell about itself.
struct looked_at {
    std::optional<bool> bos{}; ///< whether sequences begin with a beginning-of-sequence token; empty: not known
    std::string dtype{};       ///< of the tensors as the model computed or stored them; empty: the type they were passed in
    index_t layers = 0;        ///< of the model; 0: the last layer seen is the last one
};

struct provenance {
    std::string rule{};
    rule_parameters parameters{};
    std::string site{};                  ///< name without the layer
    std::string dtype{};                 ///< "float32", "bfloat16", ...
    std::optional<bool> bos{};
    index_t length = 0;                  ///< T, the longest sequence; 0 for a weight
    index_t sequences = 0;               ///< 0 for a weight
    std::int64_t values = 0;             ///< finite numbers looked at
    std::int64_t not_finite = 0;         ///< NaN and infinities: in no set and no mean
    std::vector<std::string> steps{};    ///< what was done to the set since: "project(layer,token)", ...

    bool operator==(provenance const&) const = default;
};

/// How a type is called where NumPy and PyTorch would say dtype.
template <class T>
constexpr std::string_view dtype_name() {
    if constexpr (std::is_same_v<T, double>) return "float64";
    else if constexpr (std::is_same_v<T, float>) return "float32";
    else return sizeof(T) == 2 ? "16 bit" : "other";
}

}  // namespace attnlab
