#pragma once

namespace attnlab {

/// What products multiply: floats, or floats rounded to bfloat16 (half the bits, twice the rate and more). On a cpu these are the
/// products of Linears and the head; on `cuda` attention's too. Sums, what is learned and all else stay float32.
enum class precision { float32, bfloat16 };

}  // namespace attnlab
