#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/models/decoder/description.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// Values first to first + count - 1 of a stored tensor, as floats in memory of the device.
template <class Device>
void read_values(Device device, stored_tensor const& t, index_t first, index_t count, typename Device::scalar* to) {
    using S = typename Device::scalar;
    index_t const piece = is_cuda<Device> ? 1 << 24 : 1 << 16;
    if constexpr (is_cuda<Device>) {
        std::vector<float> converted;   // where the device does not
        auto const floats = t.in_place<float>();
        auto const halves = t.in_place<bfloat16>();
        for (index_t i = 0; i < count; i += piece) {
            view<float, 1> const part(to + i, {std::min(piece, count - i)});
            if (!floats.empty()) take_from_host(device, floats.data() + first + i, part);
            else if (!halves.empty()) take_from_host(device, halves.data() + first + i, part);
            else {
                converted.resize(static_cast<std::size_t>(part.size()));
                read_values(cpu{}, t, first + i, part.size(), converted.data());
                take_from_host(device, converted.data(), part);
            }
        }
    } else {
        index_t const pieces = (count + piece - 1) / piece;
        t.read<S>(to, first, 0);   // a type that cannot be read is refused here: no exception may leave a thread
#pragma omp parallel for schedule(static)
        for (index_t i = 0; i < pieces; ++i) t.read<S>(to + i * piece, first + i * piece, std::min(piece, count - i * piece));
    }
}

/// The values of a small stored tensor.
template <class S>
buffer<S> values_of(stored_tensor const& t) {
    buffer<S> out(static_cast<std::size_t>(t.size()));
    t.read(out.data(), 0, t.size());
    return out;
}

/// y = x W^T + b with W where it is mapped. What is not float32 is converted panel by panel on the way into the product: never a whole
/// matrix, let alone a model. A GPU has the matrix from its first product until `release`. Include the kernels of the device beside this header.
template <class Device>
class stored_linear {
    using S = typename Device::scalar;

public:
    stored_linear() = default;
    stored_linear(stored_tensor weight, bool transposed, buffer<S> bias) : weight_(std::move(weight)), transposed_(transposed), bias_(std::move(bias)) {
        out_ = weight_.shape[transposed ? 1 : 0];
        in_ = weight_.shape[transposed ? 0 : 1];
    }
    /// \throws error naming the tensor that is missing or of another shape
    stored_linear(model_folder const& from, std::string const& prefix, matrix_name const& m, index_t in, index_t out)
        : stored_linear(from.tensor(prefix + m.name + ".weight", m.transposed ? std::vector{in, out} : std::vector{out, in}), m.transposed,
                        m.bias ? values_of<S>(from.tensor(prefix + m.name + ".bias", {out})) : buffer<S>{}) {}

    index_t in() const { return in_; }
    index_t out() const { return out_; }
    stored_tensor const& weight() const { return weight_; }

    /// x (N, I) -> y (N, O).
    void forward(view<S const, 2> x, view<S, 2> y) const {
        index_t const n = x.shape(0);
        if (!bias_.empty()) copy_heads(Device{}, heads<S const>{bias_.data()}, heads<S>{y.data(), 0, 0, out_}, 1, 1, n, out_);
        S const keep = bias_.empty() ? S(0) : S(1);
        if (S const* const there = whole()) {
            gemm(Device{}, false, !transposed_, n, out_, in_, S(1), x.data(), in_, there, transposed_ ? out_ : in_, keep, y.data(), out_);
            return;
        }
        index_t const rows = transposed_ ? in_ : out_, columns = transposed_ ? out_ : in_, at_once = std::max<index_t>(1, panel / columns);
        static thread_local buffer<S> memory;
        memory.resize(static_cast<std::size_t>(std::min(rows, at_once) * columns));
        for (index_t r = 0; r < rows; r += at_once) {
            index_t const count = std::min(at_once, rows - r);
            read_values(Device{}, weight_, r * columns, count * columns, memory.data());
            if (transposed_)   // rows are inputs: a part of every sum
                gemm(Device{}, false, false, n, out_, count, S(1), x.data() + r, in_, memory.data(), out_, r > 0 ? S(1) : keep, y.data(), out_);
            else
                gemm(Device{}, false, true, n, count, in_, S(1), x.data(), in_, memory.data(), in_, keep, y.data() + r, out_);
        }
    }

    /// All values, as (O, I).
    tensor<S, 2> matrix() const {
        tensor<S, 2> out({out_, in_});
        if (!transposed_) {
            weight_.read(out.data(), 0, out.size());
        } else {
            buffer<S> row(static_cast<std::size_t>(out_));
            for (index_t i = 0; i < in_; ++i) {
                weight_.read(row.data(), i * out_, out_);
                for (index_t o = 0; o < out_; ++o) out(o, i) = row[static_cast<std::size_t>(o)];
            }
        }
        return out;
    }

    /// Gives pages and memory back. The device must be done.
    void release() const {
        weight_.release();
        on_device_ = buffer<S>(on_device_.get_allocator());   // = {} would keep the memory
    }

private:
    static constexpr index_t panel = index_t{1} << 21;   ///< values: 8 MiB of floats, so that a panel stays in the last cache

    /// The matrix as floats that the device can read; null where it has to be converted.
    S const* whole() const {
        if constexpr (is_cuda<Device>) {
            if (on_device_.empty()) {
                on_device_.resize(static_cast<std::size_t>(weight_.size()));
                read_values(Device{}, weight_, 0, weight_.size(), on_device_.data());
            }
            return on_device_.data();
        }
        return weight_.in_place<S>().data();
    }

    stored_tensor weight_;
    bool transposed_ = false;
    buffer<S> bias_;
    mutable buffer<S> on_device_;
    index_t in_ = 0, out_ = 0;
};

}  // namespace attnlab
