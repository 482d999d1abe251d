// expect: resid_pst
// lines: 5 8
#include <attnlab/observe/record.hpp>
using nowhere = attnlab::site::resid_pst;
