// expect: overlap of outlier sets of different axes: project both to axes that they share
// lines: 12 16
#include <attnlab/analysis/outliers/overlap.hpp>

using namespace attnlab;

auto keys_are_no_tokens(outlier_set<axis::layer, axis::token> const& a, outlier_set<axis::layer, axis::key> const& b) {
    return overlaps(a, b);
}
