// expect: resid_pst
// lines: 5 5
#include <attnlab/observe/record.hpp>
using nowhere = attnlab::site::resid_pst;
