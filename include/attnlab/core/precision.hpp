#pragma once

namespace attnlab {

/// What products multiply: floats, floats rounded by tensor cores (`cuda` alone: Linears and the head, at eight times the rate), or rounded to
/// bfloat16 (half the bits, twice the rate and more). On a cpu these are the
/// products of Linears and the head; on `cuda` attention's too. Sums, what is learned and all else stay float32.
enum class precision { float32, tfloat32, bfloat16 };

}  // namespace attnlab
