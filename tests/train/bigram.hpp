#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include <attnlab/core/parameter.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/core/view.hpp>

/// The smallest model that learns: logits of the next token are a row of a table plus a bias.
template <class T = float>
class bigram {
public:
    using scalar = T;
    static constexpr attnlab::index_t vocabulary = 7;

    explicit bigram(std::uint64_t seed = 1, attnlab::index_t width = vocabulary) {
        table_ = parameters_.add("table", {vocabulary, width}, attnlab::normal(0.1));
        bias_ = parameters_.add("out.bias", {width}, attnlab::zeros);
        parameters_.allocate();
        parameters_.initialize(seed);
    }

    attnlab::parameter_list<T>& parameters() { return parameters_; }
    double loss(attnlab::view<std::int32_t const, 2> x, attnlab::view<std::int32_t const, 2> y) { return sweep(x, y, 0, false); }
    double loss_and_gradient(attnlab::view<std::int32_t const, 2> x, attnlab::view<std::int32_t const, 2> y, double scale) {
        return sweep(x, y, scale, true);
    }

private:
    double sweep(attnlab::view<std::int32_t const, 2> x, attnlab::view<std::int32_t const, 2> y, double scale, bool backward) {
        double total = 0;
        auto const n = static_cast<double>(x.size());
        std::vector<double> p(static_cast<std::size_t>(vocabulary));
        for (attnlab::index_t i = 0; i < x.size(); ++i) {
            auto const row = static_cast<std::size_t>(x.data()[i] * vocabulary), target = static_cast<std::size_t>(y.data()[i]);
            double sum = 0;
            for (std::size_t j = 0; j < p.size(); ++j)
                sum += p[j] = std::exp(static_cast<double>(table_->value[row + j] + bias_->value[j]));
            for (double& q : p) q /= sum;
            total -= std::log(p[target]);
            for (std::size_t j = 0; backward && j < p.size(); ++j) {
                auto const d = static_cast<T>(scale / n * (p[j] - (j == target ? 1 : 0)));
                table_->gradient[row + j] += d;
                bias_->gradient[j] += d;
            }
        }
        return total / n;
    }

    attnlab::parameter_list<T> parameters_;
    attnlab::parameter<T>*table_, *bias_;
};

/// Endless batches of a rule the bigram can learn, x -> (3 x + 1) mod 7 nine times in ten.
struct rule_batches {
    void batch(std::uint64_t i, attnlab::view<std::int32_t, 2> x, attnlab::view<std::int32_t, 2> y) const { fill(1, i, x, y); }
    void evaluation(std::uint64_t i, attnlab::view<std::int32_t, 2> x, attnlab::view<std::int32_t, 2> y) const {
        fill(2, i, x, y);
    }

    static void fill(std::uint64_t stream, std::uint64_t i, attnlab::view<std::int32_t, 2> x, attnlab::view<std::int32_t, 2> y) {
        auto const key = attnlab::rng::stream(stream, i);
        for (attnlab::index_t n = 0; n < x.size(); ++n) {
            auto const bits = attnlab::rng::bits(key, static_cast<std::uint64_t>(n));
            x.data()[n] = static_cast<std::int32_t>(bits % 7);
            y.data()[n] = (bits >> 8) % 10 == 0 ? 0 : (3 * x.data()[n] + 1) % 7;
        }
    }
};

/// All values of a model, for comparisons bit for bit.
template <class T>
std::vector<T> values(attnlab::parameter_list<T> const& parameters) {
    std::vector<T> out;
    for (auto const& p : parameters) out.insert(out.end(), p->value.begin(), p->value.end());
    return out;
}
