#include <boost/test/unit_test.hpp>

#include <fstream>

#include <attnlab/data/documents.hpp>

#include "support.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(documents)

namespace {
std::filesystem::path written(std::filesystem::path const& path, std::string const& text) {
    std::ofstream(path, std::ios::binary) << text;
    return path;
}
}  // namespace

BOOST_AUTO_TEST_CASE(a_text_is_read_as_it_is_and_lines_of_json_by_their_text) {
    auto const folder = std::filesystem::temp_directory_path();
    auto const plain = written(folder / "attnlab-documents.txt", "{\"text\": 1}\n"), lines = written(folder / "attnlab-documents.jsonl", "{\"text\": \"a\\nb\"}\n\n{\"id\": 3, \"text\": \"c\"}");
    BOOST_TEST(read_documents(plain) == "{\"text\": 1}\n");
    BOOST_TEST(read_documents(lines) == "a\nb\n\nc");
    auto const broken = written(folder / "attnlab-broken.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n");
    test::says([&] { read_documents(broken); }, {"attnlab-broken.jsonl", "line 2", "text"});
    for (auto const& p : {plain, lines, broken}) std::filesystem::remove(p);
}

BOOST_AUTO_TEST_SUITE_END()
