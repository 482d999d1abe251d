#pragma once
#include <cstdint>
#include <string>

#include <attnlab/core/parameter.hpp>

namespace attnlab {

/// Token plus learned position: y(b,t) = wte[token] + wpe[t]; wte (V, C), wpe (P, C).
template <class Device>
class embedding {
    using S = typename Device::scalar;

public:
    embedding(parameter_list<S>& all, std::string const& prefix, index_t vocabulary, index_t positions, index_t width, double deviation)
        : tokens_(all.add(prefix + "wte.weight", {vocabulary, width}, normal(deviation))),
          positions_(all.add(prefix + "wpe.weight", {positions, width}, normal(deviation))) {}

    /// \throws error for a token outside the vocabulary, or T > P
    void forward(view<std::int32_t const, 2> ids, view<S, 3> y) const {
        embedding_forward(Device{}, ids, matrix<S const>(tokens_, tokens_->value), matrix<S const>(positions_, positions_->value), y);
    }
    void backward(view<std::int32_t const, 2> ids, view<S const, 3> dy) const {
        embedding_backward(Device{}, ids, dy, matrix<S>(tokens_, tokens_->gradient), matrix<S>(positions_, positions_->gradient));
    }

    /// The token table, which a tied head multiplies with.
    parameter<S>* table() const { return tokens_; }

private:
    template <class U>
    static view<U, 2> matrix(parameter<S> const* p, std::span<S> s) {
        return {s.data(), {p->shape[0], p->shape[1]}};
    }
    parameter<S>*tokens_, *positions_;
};

}  // namespace attnlab
