#pragma once

namespace attnlab {

/// What the products of Linears and the head multiply: floats, or floats rounded to bfloat16 (half the bits, twice the rate). Sums, what
/// is learned, attention and all else stay float32.
enum class precision { float32, bfloat16 };

}  // namespace attnlab
