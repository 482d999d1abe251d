#pragma once
#include <cmath>

#include <attnlab/core/view.hpp>

/// \file
/// What an optimizer does to one learned number, in PyTorch's order of operations; the same text runs on a register of the cpu, and in a thread of
/// a GPU.

namespace attnlab {

/// torch.optim.AdamW, step t: decay, then m.lerp_(g, 1 - beta1), v = beta2 v + (1 - beta2) g g, with c = 1 - beta^t
/// p -= rate/c1 m / (sqrt(v)/sqrt(c2) + epsilon).
template <class T>
struct adamw_rule {
    T gradient_scale;   ///< on the gradient as it is stored
    T step;             ///< rate / c1
    T keep;             ///< 1 - rate * weight_decay
    T take1, take2;     ///< 1 - beta1, 1 - beta2
    T beta2, root2;     ///< root2: sqrt(c2)
    T epsilon;

    template <class X>
    constexpr void operator()(X g, X& value, X& mean, X& square) const {
        using std::sqrt;
        g = X(gradient_scale) * g;
        mean = mean + X(take1) * (g - mean);
        square = X(beta2) * square + X(take2) * g * g;
        value = X(keep) * value - X(step) * (mean / (sqrt(square) / X(root2) + X(epsilon)));
    }
};

/// torch.optim.SGD, dampening 0: velocity = beta velocity + (g + decay p), p -= rate velocity. PyTorch begins with velocity = g, which one of
/// zeros gives too.
template <class T>
struct momentum_rule {
    T gradient_scale, step, beta, decay;

    template <class X>
    constexpr void operator()(X g, X& value, X& velocity) const {
        velocity = X(beta) * velocity + (X(gradient_scale) * g + X(decay) * value);
        value = value - X(step) * velocity;
    }
};

/// What a step does to one parameter: its rule, and n numbers of each array.
template <class Rule, class T>
struct parameter_update {
    Rule rule;
    index_t n = 0;
    T const* gradient = nullptr;
    T* value = nullptr;
    T *first = nullptr, *second = nullptr;   ///< mean and square; or velocity and nothing
};

}  // namespace attnlab
