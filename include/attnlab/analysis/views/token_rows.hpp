#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/observe/any_observer.hpp>

namespace attnlab {

/// Rows of a few tokens of the first sequence, and between which values the rows of all other tokens lie, channel by channel. Of
/// (B,T,C) a row is C long, of (B,H,T,D) H D. What is kept does not grow with T.
class token_rows : public any_observer {
public:
    struct seen {
        std::vector<std::vector<float>> rows;  ///< of the tokens, in their order
        std::vector<float> low, high;          ///< of the other tokens
        std::vector<double> mean;              ///< of the others, with its sign
        index_t per_head = 0;                  ///< D where the site has heads
    };

    /// \param where  the layers of each site
    token_rows(std::vector<index_t> tokens, std::map<std::string_view, std::set<index_t>> where)
        : tokens_(std::move(tokens)), where_(std::move(where)) {}

    bool asks(std::string_view name, index_t layer) const override {
        auto const at = where_.find(name);
        return at != where_.end() && at->second.count(layer) != 0;
    }
    void see(seen_site const& x) override {
        if (x.first_sequence != 0 || x.shape.at(0) == 0) return;
        bool const heads = x.shape.size() == 4;
        index_t const H = heads ? x.shape[1] : 1, T = heads ? x.shape[2] : x.shape.at(1), D = x.shape.back();
        auto& s = seen_[{std::string(x.site), x.layer}];
        auto const width = static_cast<std::size_t>(H * D);
        s.per_head = heads ? D : 0;
        s.rows.assign(tokens_.size(), std::vector<float>(width));
        s.low.assign(width, 0), s.high.assign(width, 0), s.mean.assign(width, 0);
        index_t others = 0;
        for (index_t t = 0; t < T; ++t) {
            auto const mine = std::find(tokens_.begin(), tokens_.end(), t);
            bool const other = mine == tokens_.end();
            for (index_t h = 0; h < H; ++h)
                for (index_t d = 0; d < D; ++d) {
                    float const v = x.values[static_cast<std::size_t>((h * T + t) * D + d)];
                    auto const c = static_cast<std::size_t>(h * D + d);
                    if (!other)
                        s.rows[static_cast<std::size_t>(mine - tokens_.begin())][c] = v;
                    else
                        s.low[c] = others == 0 ? v : std::min(s.low[c], v), s.high[c] = others == 0 ? v : std::max(s.high[c], v),
                        s.mean[c] += static_cast<double>(v);
                }
            others += other;
        }
        for (double& m : s.mean) m /= static_cast<double>(std::max<index_t>(1, others));
    }

    std::vector<index_t> const& tokens() const { return tokens_; }
    bool has(std::string_view site, index_t layer) const { return seen_.count({std::string(site), layer}) != 0; }
    /// \throws error where the model has no such site
    seen const& at(std::string_view site, index_t layer) const {
        auto const found = seen_.find({std::string(site), layer});
        require(found != seen_.end(), "site '", site, "' of layer ", layer, ": this model shows none");
        return found->second;
    }

private:
    std::vector<index_t> tokens_;
    std::map<std::string_view, std::set<index_t>> where_;
    std::map<std::pair<std::string, index_t>, seen> seen_;
};

/// Every layer of each of the sites.
inline std::map<std::string_view, std::set<index_t>> in_every_layer(std::vector<std::string_view> const& sites, index_t layers) {
    std::map<std::string_view, std::set<index_t>> out;
    for (auto const site : sites)
        for (index_t l = 0; l < layers; ++l) out[site].insert(l);
    return out;
}

}  // namespace attnlab
