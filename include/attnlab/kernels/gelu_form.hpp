#pragma once

namespace attnlab {

/// GELU as defined, x Phi(x) (Hendrycks and Gimpel 2016; torch's and the paper's default), or by the tanh that approximates
/// it (GPT-2's original code).
enum class gelu_form { exact, tanh };

}  // namespace attnlab
