#pragma once
#include <cmath>
#include <map>
#include <string_view>
#include <vector>

#include <attnlab/analysis/outliers/find.hpp>
#include <attnlab/analysis/selection.hpp>
#include <attnlab/analysis/scores.hpp>

namespace attnlab {

/// Massive activations (Sun et al. 2402.17762): |h| > `above` and |h| >= `factor` * median |h| of the layer's hidden state. The
/// paper does not say of how much text: `median_over`. Over the corpus the median comes from a histogram, right to 0.1 %.
struct massive {
    enum class scope { sequence, corpus };

    static constexpr std::string_view name = "massive";
    static constexpr bool reads(site_kind k) { return k == site_kind::rows; }
    template <class Site>
    using axes = token_axes<Site>;

    double above = 100, factor = 1000;
    scope median_over = scope::sequence;

    rule_parameters parameters() const {
        bool const corpus = median_over == scope::corpus;
        return {{"above", above}, {"factor", factor}, {"median_over", corpus ? "corpus" : "sequence"},
                {"median_error", corpus ? magnitude_histogram::relative_error : 0.}};
    }

    struct reducer : candidates<3> {   // (sequence, token, channel)
        magnitude_histogram magnitudes;  // over the corpus only

        void merge(reducer const& o) {
            candidates<3>::merge(o);
            magnitudes.merge(o.magnitudes);
        }
    };

    template <class T>
    reducer reduce(index_t sequence, view<T const, 2> h) const {
        reducer r;
        r.see(h, [&](index_t t, index_t c, double x) {
            if (std::abs(x) > above) r.add({sequence, t, c}, x);
            if (median_over == scope::corpus) r.magnitudes.add(std::abs(x));
        });
        if (median_over == scope::sequence && !r.found.empty()) {   // most layers have no candidate and need no median
            auto magnitudes = finite_magnitudes(h);
            keep_above(r.found, factor * lower_median(magnitudes));
        }
        return r;
    }

    void decide(std::map<index_t, reducer> const& layers, auto&& found) const {
        for (auto const& [layer, r] : layers) {
            if (median_over == scope::sequence) {
                report_candidates(layer, r, found);
                continue;
            }
            candidates<3> passed{r, r.found};
            keep_above(passed.found, factor * r.magnitudes.median());
            report_candidates(layer, passed, found);
        }
    }

private:
    static void keep_above(std::vector<candidates<3>::candidate>& found, double least) {
        std::erase_if(found, [&](auto const& c) { return !(std::abs(c.value) >= least); });
    }
};

}  // namespace attnlab
