#include <attnlab/analysis/outliers.hpp>

using namespace attnlab;

double paper_claim(outlier_set<axis::sequence, axis::layer, axis::token, axis::channel> const& a,
                   outlier_set<axis::sequence, axis::layer, axis::key> const& b) {
    auto const tokens = a.project<axis::sequence, axis::layer, axis::token>();
    return *overlaps(tokens, b.rename<axis::key, axis::token>(), {.layer_offset = 1}).all.iou;
}
