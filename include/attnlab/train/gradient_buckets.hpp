#pragma once
#include <algorithm>
#include <cstddef>
#include <span>

#include <attnlab/core/parameter.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/data/tokens.hpp>
#include <attnlab/train/ranks.hpp>

/// \file
/// Gradients summed over the ranks while the backward still runs.

namespace attnlab {

/// As in PyTorch.
inline constexpr std::size_t usual_bucket_bytes = std::size_t{25} << 20;

/// The gradients of one step on their way to their sum. The backward fills them from the last parameter to the first; as soon as a bucket is
/// full its sum begins (PyTorch's DDP, Li et al., VLDB 2020). Where buckets end depends on their size alone, so all ranks cut alike.
template <class T>
class gradient_buckets {
public:
    /// \param bytes  of a bucket \param wait  for the kernels that fill gradients: done before a sum by who does not do so himself
    gradient_buckets(parameter_list<T>& parameters, ranks& all, std::size_t bytes, void (*wait)())
        : parameters_(&parameters), ranks_(&all), wait_(wait), size_(std::max<std::size_t>(1, bytes / sizeof(T))), end_(parameters.gradients().size()) {}

    /// The gradients of parameters `first`, `first` + 1, ... are complete, or will be when the kernels started so far are done.
    void done(std::size_t first) {
        auto const from = static_cast<std::size_t>(parameters_->items()[first]->gradient.data() - parameters_->gradients().data());
        while (end_ >= from + size_) begin_sum(size_);
        ranks_->progress();
    }

    /// All are: sums what is left, and waits.
    void finish() {
        while (end_ > 0) begin_sum(std::min(size_, end_));
        ranks_->finish_sums();
    }

private:
    void begin_sum(std::size_t n) {
        end_ -= n;
        if (!ranks_->follows_kernels()) wait_();
        ranks_->begin_sum(parameters_->gradients().subspan(end_, n));
    }

    parameter_list<T>* parameters_;
    ranks* ranks_;
    void (*wait_)();
    std::size_t size_, end_;   // numbers of a bucket; where those begin whose sum has begun
};

/// Adds the gradient of a batch, telling `done` where the model can say so on the way.
template <class Model>
double loss_and_gradient(Model& model, view<token const, 2> x, view<token const, 2> y, double scale, gradients_done const& done) {
    if constexpr (requires { model.loss_and_gradient(x, y, scale, done); }) return model.loss_and_gradient(x, y, scale, done);
    else return model.loss_and_gradient(x, y, scale);
}

}  // namespace attnlab
