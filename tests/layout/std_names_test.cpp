// A header includes what declares the names of std that it uses, itself or through another of attnlab: layout.headers compiles it beside a standard
// library that is there already, and would not notice.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "layout/planted.hpp"

BOOST_AUTO_TEST_SUITE(std_names)

namespace {

namespace fs = std::filesystem;
using names = std::set<std::string>;

/// Names of std by the header that declares them.
std::map<std::string, names> const declared{
    {"algorithm", {"all_of", "any_of", "copy_n", "count_if", "fill", "fill_n", "find_if", "lower_bound", "max", "max_element", "min", "nth_element", "sort", "transform"}},
    {"array", {"array"}},
    {"atomic", {"atomic"}},
    {"bit", {"bit_cast", "countr_zero", "popcount"}},
    {"charconv", {"from_chars", "to_chars"}},
    {"chrono", {"chrono"}},
    {"cmath", {"exp", "isfinite", "isnan", "log", "pow", "sqrt"}},
    {"cstddef", {"byte", "ptrdiff_t", "size_t"}},
    {"cstdint", {"int32_t", "int64_t", "uint16_t", "uint32_t", "uint64_t", "uint8_t"}},
    {"cstring", {"memcmp", "memcpy", "strerror"}},
    {"deque", {"deque"}},
    {"filesystem", {"filesystem"}},
    {"fstream", {"ifstream", "ofstream"}},
    {"functional", {"function"}},
    {"iomanip", {"setfill", "setprecision", "setw"}},
    {"iostream", {"cerr", "cin", "cout"}},
    {"iterator", {"back_inserter"}},
    {"limits", {"numeric_limits"}},
    {"map", {"map"}},
    {"memory", {"make_shared", "make_unique", "shared_ptr", "unique_ptr"}},
    {"mutex", {"lock_guard", "mutex", "unique_lock"}},
    {"numbers", {"numbers"}},
    {"numeric", {"accumulate", "iota", "partial_sum"}},
    {"optional", {"nullopt", "optional"}},
    {"regex", {"regex"}},
    {"set", {"set"}},
    {"span", {"span"}},
    {"sstream", {"istringstream", "ostringstream"}},
    {"string", {"string", "to_string"}},
    {"string_view", {"string_view"}},
    {"system_error", {"error_code", "system_error"}},
    {"thread", {"thread"}},
    {"tuple", {"tuple"}},
    {"type_traits", {"bool_constant", "conditional_t", "decay_t", "enable_if_t", "is_same_v", "remove_const_t", "type_identity"}},
    {"unordered_map", {"unordered_map"}},
    {"unordered_set", {"unordered_set"}},
    {"utility", {"exchange", "move", "pair", "swap"}},
    {"variant", {"get_if", "variant", "visit"}},
    {"vector", {"vector"}},
};
/// What a header of the standard brings along, in its own declarations.
std::map<std::string, names> const brought{
    {"array", {"cstddef", "tuple"}},
    {"cstring", {"cstddef"}},
    {"filesystem", {"chrono", "string", "string_view", "system_error"}},
    {"fstream", {"string"}},
    {"iostream", {"string"}},
    {"map", {"utility"}},
    {"new", {"cstddef"}},
    {"set", {"utility"}},
    {"span", {"array", "cstddef"}},
    {"sstream", {"string"}},
    {"string", {"cstddef", "string_view"}},
    {"string_view", {"cstddef"}},
    {"tuple", {"utility"}},
    {"vector", {"cstddef"}},
};

struct header {
    names includes, used;
};

header read(fs::path const& path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    static std::regex const comment("//[^\n]*"), include(R"(#\s*include\s*<([^>]*)>)"), of_std(R"(\bstd::([a-z0-9_]+))");
    text = std::regex_replace(text, comment, "");
    auto const all = [&](std::regex const& wanted) {
        names found;
        for (std::sregex_iterator i(text.begin(), text.end(), wanted), end; i != end; ++i) found.insert((*i)[1]);
        return found;
    };
    return {all(include), all(of_std)};
}

/// Every offence under `root`, whose headers include each other as <attnlab/...>, in order.
std::vector<std::string> offences(fs::path const& root) {
    std::map<std::string, header> all;
    for (auto const& entry : fs::recursive_directory_iterator(root))
        if (entry.is_regular_file()) all["attnlab/" + entry.path().lexically_relative(root).string()] = read(entry.path());
    std::vector<std::string> found;
    for (auto const& [path, own] : all) {
        names there;
        std::vector<std::string> todo{path};
        while (!todo.empty()) {
            std::string const next = todo.back();
            todo.pop_back();
            if (!there.insert(next).second) continue;
            if (auto const at = all.find(next); at != all.end()) todo.insert(todo.end(), at->second.includes.begin(), at->second.includes.end());
            if (auto const at = brought.find(next); at != brought.end()) todo.insert(todo.end(), at->second.begin(), at->second.end());
        }
        for (auto const& [from, declares] : declared)
            for (auto const& name : declares)
                if (own.used.count(name) && !there.count(from)) found.push_back(path + ": std::" + name + ": expected <" + from + ">");
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_the_library_come_with_their_headers) {
    BOOST_REQUIRE(fs::exists(library() / "core/view.hpp"));
    for (auto const& offence : offences(library())) BOOST_ERROR(offence);
}

BOOST_AUTO_TEST_CASE(without_their_headers_are_found) {
    planted tree;
    tree.header("core/a.hpp", "#include <vector>\n#include <filesystem>\nstd::vector<std::string> a(std::size_t n);  // not std::map\n");
    tree.header("core/b.hpp", "#include <attnlab/core/a.hpp>\nstd::vector<std::map<int, std::string>> b();\n");
    tree.header("core/c.hpp", "#include <attnlab/core/b.hpp>\n  #  include <map>\nstd::map<int, int> c(std::uint64_t);\n");
    std::vector<std::string> const expected{"attnlab/core/b.hpp: std::map: expected <map>", "attnlab/core/c.hpp: std::uint64_t: expected <cstdint>"};
    BOOST_TEST(offences(tree.root()) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
