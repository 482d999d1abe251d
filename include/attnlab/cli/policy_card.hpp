#pragma once
#include <string>
#include <vector>

namespace attnlab {

/// What people read about a policy.
struct policy_card {
    std::string name;
    std::vector<std::string> aliases = {};
    std::string formula = {}, source = {};
};

}  // namespace attnlab
