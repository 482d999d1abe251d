#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <attnlab/layers/linear.hpp>
#include <attnlab/models/trained/norm.hpp>

namespace attnlab {

/// What stands before the blocks of a family: rows of a table, scaled, projected, with learned positions and a norm, as far as it
/// has them.
template <class Device>
class trained_embedding {
    using S = typename Device::scalar;

public:
    trained_embedding(parameter_list<S>& all, decoder_description const& d, precision products)
        : d_(&d), table_(all.add(d.embedding, {d.vocabulary, d.embedding_width > 0 ? d.embedding_width : d.width}, zeros)) {
        if (!d.positions.empty()) positions_ = all.add(d.positions, {d.longest + d.position_offset, d.width}, zeros);
        if (!d.project_in.empty())
            project_ = std::make_unique<linear<Device>>(all, d.project_in, table_->shape[1], d.width, false, 0.0, products);
        norm_ = trained_norm<Device>(all, "", d.embedding_norm, d.norm, d.width);
    }

    /// (V, E), which a tied head multiplies with.
    parameter<S>* table() const { return table_; }

    /// ids (B, T) -> y (B, T, C). \throws error for an id outside the vocabulary
    void forward(view<std::int32_t const, 2> ids, view<S, 3> y) {
        if (norm_) before_norm_.resize(y.shape());
        view<S, 3> const x = norm_ ? *before_norm_ : y;
        if (project_) narrow_.resize({ids.shape(0), ids.shape(1), table_->shape[1]});
        view<S, 3> const read = project_ ? *narrow_ : x;
        embedding_forward(Device{}, ids, matrix(table_->value), view<S const, 2>{}, read);
        scale(read);
        if (project_) project_->forward(rows(view<S const, 3>(narrow_)), rows(x));
        if (positions_)
            for (index_t b = 0; b < x.shape(0); ++b)
                add(Device{}, view<S const, 1>(positions(positions_->value, x.shape(1))), flat(x[b]));
        if (norm_) norm_.forward(rows(view<S const, 3>(x)), rows(y), saved_);
    }

    /// d (B, T, C): the gradient by y, used up.
    void backward(view<std::int32_t const, 2> ids, view<S, 3> d) {
        if (norm_) {
            work_.resize(d.shape());
            copy(Device{}, flat(view<S const, 3>(d)), flat(*work_));
            zero(Device{}, flat(d));
            norm_.backward(rows(view<S const, 3>(work_)), rows(view<S const, 3>(before_norm_)), saved_, rows(d));
        }
        if (positions_)
            for (index_t b = 0; b < d.shape(0); ++b)
                add(Device{}, flat(view<S const, 2>(d[b])), positions(positions_->gradient, d.shape(1)));
        if (project_) {
            work_.resize(narrow_.shape());
            project_->backward(rows(view<S const, 3>(d)), rows(view<S const, 3>(narrow_)), work_.data());
            d = work_;
        }
        scale(d);
        embedding_backward(Device{}, ids, d, matrix(table_->gradient), view<S, 2>{});
    }

private:
    void scale(view<S, 3> x) const {
        if (d_->embedding_scale != 1) multiply_by(Device{}, static_cast<S>(d_->embedding_scale), flat(x));
    }
    view<S, 2> matrix(std::span<S> values) const { return {values.data(), {table_->shape[0], table_->shape[1]}}; }
    /// The rows of positions 0 .. T - 1.
    view<S, 1> positions(std::span<S> values, index_t T) const {
        return {values.data() + d_->position_offset * d_->width, {T * d_->width}};
    }

    decoder_description const* d_;
    parameter<S>*table_, *positions_ = nullptr;
    std::unique_ptr<linear<Device>> project_;
    trained_norm<Device> norm_;
    typename trained_norm<Device>::saved saved_;
    tensor<S, 3> narrow_, before_norm_, work_;
};

}  // namespace attnlab
