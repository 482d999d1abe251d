// expect: this outlier rule does not read such a site
// lines: 9 12
#include <attnlab/analysis/outliers/massive.hpp>

attnlab::outlier_finder<float, attnlab::massive, attnlab::site::pattern> const weights_are_no_hidden_states;
