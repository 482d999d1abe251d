#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/io/observation_stream.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(observation_streams)

namespace {

// A run of some steps, three rows each.
void run(observation_stream& out, index_t first, index_t last) {
    out.begin(first);
    for (index_t step = first; step <= last; ++step) {
        step_rows row(step);
        row("loss", 0.1 * static_cast<double>(step));
        row("a, \"b\"", 1.0 / 3, 2);
        row("sink_share", step == 2 ? std::numeric_limits<double>::quiet_NaN() : 0.5, 0, 3);
        out.append(row.all());
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_come_back) {
    folder f;
    for (char const* name : {"new/a.csv", "new/a.jsonl"}) {
        observation_stream out(f / name);
        run(out, 0, 2);   // read while it is open
        auto const rows = read_observations(f / name);
        BOOST_TEST(rows.size() == 9U);
        BOOST_TEST(rows[4].metric == "a, \"b\"");
        BOOST_TEST(rows[4].step == 1);
        BOOST_TEST(rows[4].layer == 2);
        BOOST_TEST(rows[4].head == whole);
        BOOST_TEST(rows[4].value == 1.0 / 3);
        BOOST_TEST(rows[5].head == 3);
        BOOST_TEST(std::isnan(rows[8].value));
    }
    BOOST_TEST(read_text(f / "new/a.csv").starts_with("step,layer,head,metric,value\n0,-1,-1,loss,0\n0,2,-1,\"a, \"\"b\"\"\",0.3333333333333333\n"));
    BOOST_TEST(read_text(f / "new/a.jsonl").starts_with("{\"step\":0,\"layer\":-1,\"head\":-1,\"metric\":\"loss\",\"value\":0.0}\n"));
}

BOOST_AUTO_TEST_CASE(a_run_that_resumes_gives_the_file_of_one_that_never_stopped) {
    folder f;
    for (std::string const ending : {".csv", ".jsonl"}) {
        observation_stream whole_run(f / ("whole" + ending));
        run(whole_run, 0, 9);
        auto const expected = read_text(whole_run.path());
        for (index_t stop : {0, 4, 9}) {
            auto const path = f / ("parts" + std::to_string(stop) + ending);
            {
                observation_stream first(path);
                run(first, 0, 6);
            }
            observation_stream second(path);
            run(second, stop < 7 ? stop : 7, 9);   // the checkpoint was older than the last rows, or as old
            BOOST_TEST(read_text(path) == expected);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_line_cut_off_does_not_count_and_goes) {
    folder f;
    for (std::string const ending : {".csv", ".jsonl"}) {
        observation_stream out(f / ("a" + ending));
        run(out, 0, 3);
        auto const whole_file = read_text(out.path());
        for (std::size_t cut = 1; cut < 100; cut += 7) {
            auto const path = f.write("cut" + ending, whole_file.substr(0, whole_file.size() - cut));
            auto const rows = read_observations(path);
            BOOST_TEST(rows.size() < 12U);
            BOOST_TEST(rows.size() >= 8U);
            observation_stream again(path);
            again.begin(4);
            BOOST_TEST(read_observations(path).size() == rows.size());
            BOOST_TEST(read_text(path).back() == '\n');
        }
    }
    // Nor does a header.
    auto const path = f.write("begun.csv", "step,layer,he");
    BOOST_TEST(read_observations(path).empty());
    observation_stream begun(path);
    begun.begin(0);
    BOOST_TEST(read_text(path) == "step,layer,head,metric,value\n");
}

BOOST_AUTO_TEST_CASE(a_file_of_something_else_is_left_alone) {
    folder f;
    auto const refused = [&](char const* name, std::string const& content, auto const&... words) {
        auto const path = f.write(name, content);
        observation_stream out(path);
        BOOST_TEST(names(error_of([&] { out.begin(0); }), name, words...));
        BOOST_TEST(read_text(path) == content);
    };
    refused("mine.csv", "name,price\npear,2\n", ":1", "expected the header");
    refused("short.csv", "step,layer,head,metric,value\n0,0,loss,1\n", ":2", "five fields");
    refused("word.csv", "step,layer,head,metric,value\nmany,0,0,loss,1\n", ":2", "step", "many");
    refused("mine.jsonl", "{\"name\": \"pear\"}\n", ":1", "step");
    BOOST_TEST(names(error_of([&] { observation_stream{f / "a.txt"}; }), "a.txt", ".csv or .jsonl"));
    observation_stream early(f / "early.csv");
    BOOST_TEST(names(error_of([&] { early.append({}); }), "early.csv", "begin"));
    BOOST_TEST(names(error_of([] { step_rows(0)("two\nlines", 1); }), "one line"));
}

BOOST_AUTO_TEST_SUITE_END()
