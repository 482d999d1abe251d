#pragma once
#include <cmath>
#include <utility>

#include <attnlab/attention/expression.hpp>

/// \file
/// Values and derivatives of the functions of the language, on any lane type: float, double, a SIMD batch. At kinks:
/// relu'(0) = 0, |x|'(0) = 0, and a clamp passes the gradient at its ends. This table is the only place where a derivative is written.

namespace attnlab::expr {

/// Elementary functions of a lane type; a SIMD type specialises this.
template <class L>
struct lane_functions {
    static constexpr L exp(L x) { return std::exp(x); }
    static constexpr L log(L x) { return std::log(x); }
    /// log(1 + x) for 0 <= x <= 1
    static constexpr L log1p_of_unit(L x) { return std::log1p(x); }
    /// 1 / x for x >= 1, infinity among them
    static constexpr L inverse(L x) { return L(1) / x; }
    static constexpr L sqrt(L x) { return std::sqrt(x); }
    static constexpr L tanh(L x) { return std::tanh(x); }
    static constexpr L abs(L x) { return std::abs(x); }
    /// `a` where x > 0, else `b`.
    static constexpr L where_positive(L x, L a, L b) { return x > 0 ? a : b; }
};

/// Of a function f: its value at x; its derivative from x and y = f(x).
struct exp_op {
    static constexpr bool costly = true;   // worth keeping until the way back
    template <class L>
    static constexpr L value(L x) {
        return lane_functions<L>::exp(x);
    }
    template <class L>
    static constexpr L derivative(L, L y) {
        return y;
    }
};
struct log_op {
    static constexpr bool costly = true;
    template <class L>
    static constexpr L value(L x) {
        return lane_functions<L>::log(x);
    }
    template <class L>
    static constexpr L derivative(L x, L) {
        return L(1) / x;
    }
};
struct sqrt_op {
    template <class L>
    static constexpr L value(L x) {
        return lane_functions<L>::sqrt(x);
    }
    template <class L>
    static constexpr L derivative(L, L y) {
        return L(0.5) / y;
    }
};
struct tanh_op {
    static constexpr bool costly = true;
    template <class L>
    static constexpr L value(L x) {
        return lane_functions<L>::tanh(x);
    }
    template <class L>
    static constexpr L derivative(L, L y) {
        return L(1) - y * y;
    }
};
struct sigmoid_op {
    static constexpr bool costly = true;
    // exp(-x) may overflow to infinity, and 1 / infinity is the right answer.
    template <class L>
    static constexpr L value(L x) {
        return lane_functions<L>::inverse(L(1) + lane_functions<L>::exp(-x));
    }
    template <class L>
    static constexpr L derivative(L, L y) {
        return y * (L(1) - y);
    }
};
struct softplus_op {
    static constexpr bool costly = true;
    // max(x, 0) + log(1 + e^-|x|): neither end overflows, and what is left below is e^x.
    template <class L>
    static constexpr L value(L x) {
        using f = lane_functions<L>;
        return f::where_positive(x, x, x * L(0)) + f::log1p_of_unit(f::exp(-f::abs(x)));
    }
    // sigmoid(x), of the same exponential.
    template <class L>
    static constexpr L derivative(L x, L) {
        using f = lane_functions<L>;
        L const e = f::exp(-f::abs(x));
        return f::where_positive(x, L(1), e) / (L(1) + e);
    }
};
/// e^min(x, 0), as it is: `exp` of a score rides with the row's largest.
struct exp_below_op {
    static constexpr bool costly = true;
    template <class L>
    static constexpr L value(L x) {
        return lane_functions<L>::exp(lane_functions<L>::where_positive(x, L(0), x));
    }
    template <class L>
    static constexpr L derivative(L x, L y) {
        return lane_functions<L>::where_positive(x, L(0), y);
    }
};
struct relu_op {
    // x * 0 keeps a NaN a NaN.
    template <class L>
    static constexpr L value(L x) {
        return lane_functions<L>::where_positive(x, x, x * L(0));
    }
    template <class L>
    static constexpr L derivative(L x, L) {
        return lane_functions<L>::where_positive(x, L(1), L(0));
    }
};
struct abs_op {
    template <class L>
    static constexpr L value(L x) {
        return lane_functions<L>::abs(x);
    }
    template <class L>
    static constexpr L derivative(L x, L) {
        return lane_functions<L>::where_positive(x, L(1), lane_functions<L>::where_positive(-x, L(-1), L(0)));
    }
};

struct square_op {
    template <class L>
    static constexpr L value(L x) {
        return x * x;
    }
    template <class L>
    static constexpr L derivative(L x, L) {
        return x + x;
    }
};
struct stop_gradient_op {
    template <class L>
    static constexpr L value(L x) {
        return x;
    }
    template <class L>
    static constexpr L derivative(L, L) {
        return L(0);
    }
};

/// Of a op b: its value y, and what an adjoint of y means for a and for b.
struct add_op {
    template <class L>
    static constexpr L value(L a, L b) {
        return a + b;
    }
    template <class L>
    static constexpr std::pair<L, L> pull(L adjoint, L, L, L) {
        return {adjoint, adjoint};
    }
};
struct subtract_op {
    template <class L>
    static constexpr L value(L a, L b) {
        return a - b;
    }
    template <class L>
    static constexpr std::pair<L, L> pull(L adjoint, L, L, L) {
        return {adjoint, -adjoint};
    }
};
struct multiply_op {
    template <class L>
    static constexpr L value(L a, L b) {
        return a * b;
    }
    template <class L>
    static constexpr std::pair<L, L> pull(L adjoint, L a, L b, L) {
        return {adjoint * b, adjoint * a};
    }
};
struct divide_op {
    template <class L>
    static constexpr L value(L a, L b) {
        return a / b;
    }
    template <class L>
    static constexpr std::pair<L, L> pull(L adjoint, L, L b, L y) {
        L const da = adjoint / b;
        return {da, -da * y};
    }
};

// Neither is larger: they are equal, or one is NaN, which their mean keeps.
struct maximum_op {
    template <class L>
    static constexpr L value(L a, L b) {
        return lane_functions<L>::where_positive(b - a, b, lane_functions<L>::where_positive(a - b, a, L(0.5) * (a + b)));
    }
    template <class L>
    static constexpr std::pair<L, L> pull(L adjoint, L a, L b, L) {
        L const to_b = lane_functions<L>::where_positive(b - a, adjoint, L(0));
        return {adjoint - to_b, to_b};
    }
};
struct minimum_op {
    template <class L>
    static constexpr L value(L a, L b) {
        return lane_functions<L>::where_positive(a - b, b, lane_functions<L>::where_positive(b - a, a, L(0.5) * (a + b)));
    }
    template <class L>
    static constexpr std::pair<L, L> pull(L adjoint, L a, L b, L) {
        L const to_b = lane_functions<L>::where_positive(a - b, adjoint, L(0));
        return {adjoint - to_b, to_b};
    }
};

}  // namespace attnlab::expr
