#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/rng.hpp>

/// \file
/// Learned tensors. A parameter knows its name, shape, first values and whether it is decayed; an optimizer sees a list of them
/// and no layer.

namespace attnlab {

/// First values: normal with a deviation around a mean; a deviation of 0 is a constant, a negative one is the model's to say.
struct initializer {
    double mean = 0, deviation = 0;
};
constexpr initializer normal(double deviation) { return {0, deviation}; }
constexpr initializer constant(double value) { return {value, 0}; }
inline constexpr initializer zeros = constant(0);
inline constexpr initializer ones = constant(1);
/// Normal with the deviation that the model uses for its weights (`init_std`).
inline constexpr initializer from_model{0, -1};

/// One learned tensor. Its memory belongs to the `parameter_list` that made it.
template <class T>
struct parameter {
    std::string name;           ///< as on disk, e.g. "transformer.h.0.attn.k_bias"
    std::vector<index_t> shape;   ///< as on disk, e.g. {1, H, 1, D}
    initializer init;
    bool decay = false;         ///< weight decay applies (default: from rank 2 up)
    std::span<T> value, gradient;

    index_t size() const {
        index_t n = 1;
        for (index_t s : shape) n *= s;
        return n;
    }
};

/// Told while a backward runs: the gradients of the list's parameters from number `first` on are complete; on a GPU, when the kernels started so
/// far are done.
using gradients_done = std::function<void(std::size_t first)>;

/// All parameters of a model in one allocation for the values and one for the gradients: known before the first step, written
/// in one go, swept by the optimizer as one array.
template <class T>
class parameter_list {
public:
    /// Declares a parameter; `allocate` gives it memory. The returned pointer stays valid for the list's life.
    parameter<T>* add(std::string name, std::vector<index_t> shape, initializer init, bool decay) {
        for (auto const& p : items_) require(p->name != name, "parameter '", name, "' is declared twice");
        items_.push_back(std::make_unique<parameter<T>>(
            parameter<T>{std::move(name), std::move(shape), init, decay, {}, {}}));
        return items_.back().get();
    }
    parameter<T>* add(std::string name, std::vector<index_t> shape, initializer init) {
        bool const decay = shape.size() >= 2;
        return add(std::move(name), std::move(shape), init, decay);
    }

    /// Gives memory to all that was added; values are zero until `initialize` or a checkpoint fills them.
    void allocate() {
        // Every parameter begins on a line of its own, so that its rows may be loaded aligned.
        constexpr index_t line = static_cast<index_t>(line_bytes / sizeof(T));
        index_t total = 0;
        for (auto& p : items_) total += (p->size() + line - 1) / line * line;
        values_.assign(static_cast<std::size_t>(total), T{0});
        gradients_.assign(static_cast<std::size_t>(total), T{0});
        index_t at = 0;
        for (auto& p : items_) {
            auto const n = static_cast<std::size_t>(p->size());
            p->value = {values_.data() + at, n};
            p->gradient = {gradients_.data() + at, n};
            at += (p->size() + line - 1) / line * line;
        }
    }

    /// First values from (seed, parameter's name): models that share a parameter's name and shape share its first values.
    void initialize(std::uint64_t seed) {
        for (auto& p : items_) {
            auto const k = rng::stream(seed, p->name);
            for (std::size_t i = 0; i < p->value.size(); ++i)
                p->value[i] = static_cast<T>(p->init.mean + (p->init.deviation == 0 ? 0 : p->init.deviation * rng::normal(k, i)));
        }
    }

    void zero_gradients() { std::fill(gradients_.begin(), gradients_.end(), T{0}); }

    /// All values and all gradients, parameter after parameter, with the gaps between their lines.
    std::span<T> values() { return values_; }
    std::span<T> gradients() { return gradients_; }

    std::vector<std::unique_ptr<parameter<T>>> const& items() const { return items_; }
    auto begin() const { return items_.begin(); }
    auto end() const { return items_.end(); }

    /// The parameter of that name. \throws error when there is none
    parameter<T>& at(std::string const& name) const {
        for (auto& p : items_)
            if (p->name == name) return *p;
        fail("no parameter '", name, "' in this model");
    }

    /// Number of learned values.
    index_t count() const {
        index_t n = 0;
        for (auto& p : items_) n += p->size();
        return n;
    }

private:
    std::vector<std::unique_ptr<parameter<T>>> items_;
    buffer<T> values_, gradients_;
};

}  // namespace attnlab
