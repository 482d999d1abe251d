// expect: an observer states a site that this pass does not visit
// lines: 12 12
#include <attnlab/observe/record.hpp>
using namespace attnlab;
void see() { check_sites<record<float, site::v, site::gate_out>, site::all>(); }
