// A header holds one idea: over 400 lines it holds two.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "layout/planted.hpp"

BOOST_AUTO_TEST_SUITE(length)

namespace {

constexpr auto longest = 400;

// Every file under `root` with more lines than that, as `file: lines`.
std::vector<std::string> too_long(std::filesystem::path const& root) {
    std::vector<std::string> found;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file()) continue;
        std::ifstream text(entry.path());
        auto const lines = std::count(std::istreambuf_iterator<char>(text), {}, '\n');
        if (lines > longest)
            found.push_back(entry.path().lexically_relative(root).string() + ": " + std::to_string(lines) + " lines");
    }
    return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_the_library_is_readable) {
    for (auto const& file : too_long(library())) BOOST_ERROR(file << ", expected at most " << longest);
}

BOOST_AUTO_TEST_CASE(that_is_planted_is_found) {
    planted tree;
    tree.header("core/fits.hpp", std::string(400, '\n'));
    tree.header("core/grew.hpp", std::string(401, '\n'));
    std::vector<std::string> const expected{"core/grew.hpp: 401 lines"};
    BOOST_TEST(too_long(tree.root()) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
