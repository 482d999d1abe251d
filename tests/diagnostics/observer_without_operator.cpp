// expect: an observer states a site but has no operator()
// lines: 8 8
#include <attnlab/observe/observer.hpp>
using namespace attnlab;
struct blind {
    using sites = site_list<site::v>;
};
void see(blind o, view<float, 4> v) { watch(o, site::v{}, 0, v); }
