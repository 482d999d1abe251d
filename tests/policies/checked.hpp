#pragma once
#include <string>
#include <vector>

#include <attnlab/kernels/checked_policy.hpp>

namespace attnlab::testing {

/// A policy as a value, by the text of its type.
struct named_policy {
    std::string type;
    checked_policy policy;
};

}  // namespace attnlab::testing
