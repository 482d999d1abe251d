#pragma once
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include <attnlab/analysis/interventions/attention_changer.hpp>

namespace attnlab {

/// Mean vector of each head, with how far single ones are from it.
class mean_rows {
public:
    /// \param x  (B, H, T, D), of which position `at` is meant
    template <class T>
    void add(view<T, 4> x, index_t at) {
        heads_ = x.shape(1), size_ = x.shape(3);
        mean_.resize(static_cast<std::size_t>(heads_ * size_)), spread_.resize(mean_.size());
        for (index_t b = 0; b < x.shape(0); ++b) {
            ++count_;   // Welford: rows that are all the same have a spread of exactly 0
            for (index_t h = 0; h < heads_; ++h)
                for (index_t c = 0; c < size_; ++c) {
                    auto const e = static_cast<std::size_t>(h * size_ + c);
                    double const value = static_cast<double>(x(b, h, at, c)), off = value - mean_[e];
                    mean_[e] += off / count_;
                    spread_[e] += off * (value - mean_[e]);
                }
        }
    }
    double operator()(index_t head, index_t c) const { return mean_[static_cast<std::size_t>(head * size_ + c)]; }
    index_t heads() const { return heads_; }
    index_t size() const { return size_; }
    /// sqrt(mean |x - mean|^2) / |mean|: 0 where all sequences have the same row.
    double error(index_t head) const {
        double spread = 0, square = 0;
        for (index_t c = 0; c < size_; ++c) {
            spread += spread_[static_cast<std::size_t>(head * size_ + c)] / count_;
            square += (*this)(head, c) * (*this)(head, c);
        }
        return spread == 0 ? 0 : std::sqrt(spread / square);
    }

private:
    std::vector<double> mean_, spread_;
    index_t heads_ = 0, size_ = 0;
    double count_ = 0;
};

/// Key and value of the sink, head by head, averaged over sequences: the k', v' of an attention bias in its place.
class sink_cache {
public:
    explicit sink_cache(index_t sink = 0) : sink_(sink) {}
    template <class T>
    void add_keys(index_t layer, view<T, 4> x) {
        keys_[layer].add(x, sink_);
    }
    template <class T>
    void add_values(index_t layer, view<T, 4> x) {
        values_[layer].add(x, sink_);
    }
    index_t sink() const { return sink_; }
    index_t layers() const { return static_cast<index_t>(keys_.size()); }
    mean_rows const& keys(index_t layer) const { return keys_.at(layer); }
    mean_rows const& values(index_t layer) const { return values_.at(layer); }

private:
    index_t sink_;
    std::map<index_t, mean_rows> keys_, values_;
};

/// Fills a cache, and changes nothing.
template <class T>
class sink_caching : public attention_changer<T> {
public:
    explicit sink_caching(sink_cache& c) : cache_(c) {}

protected:
    void keys(index_t layer, view<T, 4> x) override { cache_.add_keys(layer, x); }
    void values(index_t layer, view<T, 4> x) override { cache_.add_values(layer, x); }

private:
    sink_cache& cache_;
};

}  // namespace attnlab
