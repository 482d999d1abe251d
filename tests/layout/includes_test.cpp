// Includes go down. The rooms of include/attnlab and who may include whom: an arrow that is not in this table is an offence.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "layout/planted.hpp"

BOOST_AUTO_TEST_SUITE(includes)

namespace {

namespace fs = std::filesystem;
using names = std::set<std::string>;

// Lower floors only, and stricter in places: kernels do not know who watches, layers do not know where tokens come from, and
// train and analysis are templates over a model that they never see.
std::map<std::string, names> const may_include{
    {"core", {}},
    {"attention", {"core"}},
    {"observe", {"core"}},
    {"io", {"core"}},
    {"kernels", {"core", "attention"}},
    {"data", {"core", "io"}},
    {"layers", {"core", "attention", "observe", "kernels"}},
    {"models", {"core", "attention", "observe", "io", "kernels", "data", "layers"}},
    {"train", {"core", "observe", "io", "kernels", "data"}},
    {"analysis", {"core", "observe", "io", "kernels", "data"}},
    {"cli", {"core", "attention", "observe", "io", "kernels", "data", "layers", "models", "train", "analysis"}},
};
names const executions{"ref", "cpu", "cuda"};

// The n-th folder of a header's path inside attnlab/; empty where there is none.
std::string folder(fs::path const& header, std::ptrdiff_t n) {
    return std::distance(header.begin(), header.end()) > n + 1 ? std::next(header.begin(), n)->string() : "";
}

// What is wrong with `from` including `what`; empty when nothing is. Both are paths inside attnlab/, or `what` is somebody
// else's.
std::string fault(fs::path const& from, std::string const& what, bool quoted) {
    if (quoted) return "expected <attnlab/room/file.hpp>, not quotes";
    static std::regex const tensor_library("(xtensor|xtensor-blas|xtl|xflens)/.*");
    if (std::regex_match(what, tensor_library)) return from == "core/xt.hpp" || from == "core/cblas.hpp" ? "" : "only core/xt.hpp spells xtensor";
    if (what.rfind("attnlab/", 0) != 0) return "";
    fs::path const to = fs::path(what.substr(8)).lexically_normal();
    std::string const here = folder(from, 0), there = folder(to, 0);
    if (there.empty()) return "a room does not include the umbrella header";
    if (here.empty()) return "";
    if (here != there) return may_include.at(here).count(there) ? "" : here + " may not include " + there;
    std::string const one = folder(from, 1), other = folder(to, 1);
    if (here == "kernels" && one != other && executions.count(one) && executions.count(other))
        return "kernels/" + one + " may not include kernels/" + other;
    return "";
}

// Every offence under `root`, as `file:line: what is wrong (what it includes)`, in order.
std::vector<std::string> offences(fs::path const& root) {
    static std::regex const include(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
    std::vector<std::string> found;
    for (auto const& entry : fs::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file()) continue;
        fs::path const from = entry.path().lexically_relative(root);
        std::string const room = folder(from, 0);
        if (room.empty() ? from != "attnlab.hpp" : !may_include.count(room)) {
            found.push_back(from.string() + ": stands in no room of the design");
            continue;
        }
        std::ifstream text(entry.path());
        std::smatch match;
        int number = 1;
        for (std::string line; std::getline(text, line); ++number) {
            if (!std::regex_match(line, match, include)) continue;
            std::string const why = fault(from, match[2], match[1] == "\"");
            if (!why.empty())
                found.push_back(from.string() + ":" + std::to_string(number) + ": " + why + " (" + match[2].str() + ")");
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_the_library_go_down) {
    BOOST_REQUIRE(fs::exists(library() / "core/view.hpp"));
    for (auto const& offence : offences(library())) BOOST_ERROR(offence);
}

BOOST_AUTO_TEST_CASE(that_go_down_are_no_offence) {
    planted tree;
    tree.header("attnlab.hpp", "#include <attnlab/cli/main.hpp>\n");
    tree.header("core/xt.hpp", "#include <xtensor/xview.hpp>\n#include <attnlab/core/view.hpp>\n");
    tree.header("kernels/kernels.hpp", "#include <attnlab/kernels/ref/norm.hpp>\n#include <attnlab/kernels/cpu/norm.hpp>\n");
    tree.header("kernels/cpu/norm.hpp", "#include <attnlab/kernels/math.hpp>\n#include <attnlab/kernels/cpu/simd.hpp>\n");
    tree.header("train/trainer.hpp", "#include <vector>\n#include <attnlab/data/batches.hpp>\n");
    tree.header("cli/main.hpp", "// not #include <attnlab/cli/../x>\n#include <attnlab/train/trainer.hpp>\n");
    BOOST_TEST(offences(tree.root()).empty());
}

BOOST_AUTO_TEST_CASE(that_are_planted_are_found) {
    planted tree;
    tree.header("analysis/a.hpp", "#include <attnlab/models/gpt.hpp>\n");
    tree.header("attention/a.hpp", "#include <attnlab/observe/site.hpp>\n");
    tree.header("core/a.hpp",
                "#pragma once\n  #  include <attnlab/io/file.hpp>  // upwards\n#include <attnlab/core/../cli/x.hpp>\n");
    tree.header("helpers/a.hpp", "");
    tree.header("io/a.hpp", "#include \"file.hpp\"\n#include <attnlab/attnlab.hpp>\n");
    tree.header("kernels/cpu/a.hpp", "#include <attnlab/kernels/ref/norm.hpp>\n#include <xtensor/xview.hpp>\n");
    tree.header("kernels/cuda/a.cuh", "#include <attnlab/kernels/cpu/norm.hpp>\n");
    tree.header("layers/a.hpp", "#include <attnlab/data/batches.hpp>\n#include <xtensor-blas/xlinalg.hpp>\n");
    tree.header("stray.hpp", "");
    tree.header("train/a.hpp", "#include <attnlab/layers/block.hpp>\n");
    std::vector<std::string> const expected{
        "analysis/a.hpp:1: analysis may not include models (attnlab/models/gpt.hpp)",
        "attention/a.hpp:1: attention may not include observe (attnlab/observe/site.hpp)",
        "core/a.hpp:2: core may not include io (attnlab/io/file.hpp)",
        "core/a.hpp:3: core may not include cli (attnlab/core/../cli/x.hpp)",
        "helpers/a.hpp: stands in no room of the design",
        "io/a.hpp:1: expected <attnlab/room/file.hpp>, not quotes (file.hpp)",
        "io/a.hpp:2: a room does not include the umbrella header (attnlab/attnlab.hpp)",
        "kernels/cpu/a.hpp:1: kernels/cpu may not include kernels/ref (attnlab/kernels/ref/norm.hpp)",
        "kernels/cpu/a.hpp:2: only core/xt.hpp spells xtensor (xtensor/xview.hpp)",
        "kernels/cuda/a.cuh:1: kernels/cuda may not include kernels/cpu (attnlab/kernels/cpu/norm.hpp)",
        "layers/a.hpp:1: layers may not include data (attnlab/data/batches.hpp)",
        "layers/a.hpp:2: only core/xt.hpp spells xtensor (xtensor-blas/xlinalg.hpp)",
        "stray.hpp: stands in no room of the design",
        "train/a.hpp:1: train may not include layers (attnlab/layers/block.hpp)",
    };
    BOOST_TEST(offences(tree.root()) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
