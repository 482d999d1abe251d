// expect: outlier sets of different axes: project both to axes that they share
// lines: 9 12
#include <attnlab/analysis/outliers/outlier_set.hpp>

using namespace attnlab;

bool neurons_are_no_channels(outlier_set<axis::layer, axis::neuron> const& a, outlier_set<axis::layer, axis::channel> const& b) {
    return a == b;
}
