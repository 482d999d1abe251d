// expect: overlap of outlier sets of different axes: project both to axes that they share
// lines: 9 12
#include <attnlab/analysis/outliers/overlap.hpp>

using namespace attnlab;

double channels_are_no_tokens(outlier_set<axis::layer, axis::token> const& a, outlier_set<axis::layer, axis::channel> const& b) {
    return *overlap(a, b).iou;
}
