#include <boost/test/unit_test.hpp>

#include <attnlab/io/csv.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(csv)

BOOST_AUTO_TEST_CASE(what_needs_quotes_gets_them) {
    BOOST_TEST(csv_line({"a", "b,c", "d\"e", "", " f", "g\nh"}) == "a,\"b,c\",\"d\"\"e\",,\" f\",\"g\nh\"\n");
    BOOST_TEST(csv_line({"", "a"}) == ",a\n");
    BOOST_TEST(csv_line({""}) == "\"\"\n");
    BOOST_TEST(csv_line({}) == "\n");
}

BOOST_AUTO_TEST_CASE(a_table_is_written) {
    folder f;
    table t{"not part of it", {"policy", "loss"}};
    t.add({"softmax", "1.95"});
    t.add({"a, b", "2"});
    write_csv(f / "r.csv", t);
    BOOST_TEST(read_text(f / "r.csv") == "policy,loss\nsoftmax,1.95\n\"a, b\",2\n");
    BOOST_TEST(names(error_of([&] { write_csv(f / "no/r.csv", t); }), "no/r.csv"));
}

BOOST_AUTO_TEST_SUITE_END()
