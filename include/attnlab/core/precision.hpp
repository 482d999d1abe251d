#pragma once
#include <string_view>

namespace attnlab {

/// What products multiply: floats, floats rounded by tensor cores (`cuda` alone: Linears and the head, at eight times the rate), or rounded to
/// bfloat16 (half the bits, twice the rate and more). On a cpu these are the products of Linears and the head; on `cuda` attention's too. Sums, what
/// is learned and all else stay float32.
enum class precision { float32, tfloat32, bfloat16 };

/// The one that `--dtype` calls so.
constexpr precision precision_named(std::string_view name) {
    return name == "bfloat16" ? precision::bfloat16 : name == "tfloat32" ? precision::tfloat32 : precision::float32;
}
constexpr char const* name_of(precision p) { return p == precision::bfloat16 ? "bfloat16" : p == precision::tfloat32 ? "tfloat32" : "float32"; }

}  // namespace attnlab
