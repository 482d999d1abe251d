#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/io/figure.hpp>
#include <attnlab/observe/any_observer.hpp>

namespace attnlab {

/// Whole patterns of one sequence, of the few layers that are drawn: the mean over heads, and one head. The only place where T x
/// T numbers are kept, so that it is shown short sequences.
class pattern_maps : public any_observer {
public:
    struct maps {
        index_t head = 0;  ///< which one
        heat_map mean{}, one{};
    };

    /// \param heads  by layer, the head to be kept
    explicit pattern_maps(std::map<index_t, index_t> heads) {
        for (auto const& [layer, head] : heads) maps_[layer].head = head;
    }

    bool asks(std::string_view name, index_t layer) const override {
        return name == site::pattern::name && maps_.count(layer) != 0;
    }
    void see(seen_site const& x) override {
        if (x.first_sequence != 0 || x.shape.at(0) == 0) return;
        view<float const, 4> const p(x.values.data(), {x.shape.at(0), x.shape.at(1), x.shape.at(2), x.shape.at(3)});
        auto& m = maps_.at(x.layer);
        auto const T = static_cast<std::size_t>(p.shape(2));
        m.mean = m.one = heat_map{T, T, std::vector<double>(T * T)};
        for (index_t h = 0; h < p.shape(1); ++h)
            for (std::size_t i = 0; i < T * T; ++i)
                m.mean.values[i] += static_cast<double>(p[0][h].data()[i]) / static_cast<double>(p.shape(1));
        std::copy_n(p[0][m.head].data(), T * T, m.one.values.begin());
    }

    std::map<index_t, maps> const& layers() const { return maps_; }

private:
    std::map<index_t, maps> maps_;
};

}  // namespace attnlab
