// expect: an outlier rule has a name, reads(site_kind), a reducer that merges and counts, and parameters()
// lines: 13 14
#include <attnlab/analysis/outliers/find.hpp>

using namespace attnlab;

struct mine {
    static constexpr std::string_view name = "mine";
    static constexpr bool reads(site_kind) { return true; }
    template <class Site>
    using axes = token_axes<Site>;
    using reducer = candidates<3>;
};

outlier_finder<float, mine, site::resid_post> const no_result_without_its_parameters;
