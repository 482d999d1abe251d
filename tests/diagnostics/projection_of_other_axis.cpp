// expect: project: an axis that this set does not have
// lines: 14 16
#include <attnlab/analysis/outliers/outlier_set.hpp>

using namespace attnlab;

auto keys(outlier_set<axis::layer, axis::token> const& a) { return a.project<axis::layer, axis::key>(); }
