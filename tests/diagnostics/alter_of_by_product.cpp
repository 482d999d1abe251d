// expect: an observer alters a site whose change can not flow on
// lines: 12 12
#include <attnlab/observe/alter.hpp>
using namespace attnlab;
void see(view<float, 4> pattern) {
    auto o = alter<site::pattern>([](auto, index_t, auto x) { x(0, 0, 0, 0) = 1; });
    watch(o, site::pattern{}, 0, pattern);
}
