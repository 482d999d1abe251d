#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/results_csv.hpp>
#include <attnlab/analysis/results_json.hpp>

#include "synthetic.hpp"

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(results_files)

namespace {
struct scratch {
    std::filesystem::path folder = std::filesystem::temp_directory_path() / ("attnlab-results-" + std::to_string(::getpid()));
    scratch() { std::filesystem::create_directories(folder); }
    ~scratch() { std::filesystem::remove_all(folder); }
    std::filesystem::path file(std::string const& name, std::string const& content) const {
        std::ofstream(folder / name) << content;
        return folder / name;
    }
};

lab::results awkward() {
    lab::results r;
    r.add({"a, \"b\"\nc", -4, 1500, lab::whole, 3, "mine", 0.1 + 0.2, "says \"x, y\""});
    r.add("softmax", 1, 0, {"loss"}, std::numeric_limits<double>::quiet_NaN());
    r.add("softmax", 1, 0, {"loss"}, -std::numeric_limits<double>::infinity());
    r.add("softmax", 1, 0, {"loss"}, std::numeric_limits<double>::denorm_min());
    return r;
}
bool same(double a, double b) { return (std::isnan(a) && std::isnan(b)) || a == b; }
auto const whats = [](char const* part) {
    return [part](lab::error const& e) {
        bool const found = std::string(e.what()).find(part) != std::string::npos;
        if (!found) BOOST_TEST_MESSAGE(e.what());
        return found;
    };
};
std::set<std::string> keys(lab::json const& object) {
    std::set<std::string> out;
    for (auto const& [key, value] : object.items()) out.insert(key);
    return out;
}
std::set<std::string> texts(lab::json const& list) { return list.get<std::set<std::string>>(); }
lab::json schema() {
    return lab::parse_json(std::filesystem::path(ATTNLAB_SOURCE_DIR) / "docs/results.schema.json");
}
}  // namespace

BOOST_AUTO_TEST_CASE(csv_round_trip) {
    scratch const s;
    auto const before = awkward();
    lab::write_results_csv(s.folder / "r.csv", before);
    auto const after = lab::read_results_csv(s.folder / "r.csv");
    BOOST_REQUIRE(after.size() == before.size());
    for (auto a = before.begin(), b = after.begin(); a != before.end(); ++a, ++b) {
        BOOST_TEST(a->policy == b->policy);
        BOOST_TEST(a->seed == b->seed);
        BOOST_TEST(a->step == b->step);
        BOOST_TEST(a->layer == b->layer);
        BOOST_TEST(a->head == b->head);
        BOOST_TEST(a->metric == b->metric);
        BOOST_TEST(same(a->value, b->value));
        BOOST_TEST(a->definition == b->definition);
    }
}

BOOST_AUTO_TEST_CASE(csv_that_is_wrong) {
    scratch const s;
    std::string const head = "policy,seed,step,layer,head,metric,value,definition\n";
    auto read = [&](std::string const& content) { lab::read_results_csv(s.file("bad.csv", content)); };
    BOOST_CHECK_EXCEPTION(read(""), lab::error, whats("header"));
    BOOST_CHECK_EXCEPTION(read("a,b\n"), lab::error, whats("header"));
    BOOST_CHECK_EXCEPTION(read(head + "softmax,1,0,0,0,loss\n"), lab::error, whats("record 1: expected 8 fields, found 6"));
    BOOST_CHECK_EXCEPTION(read(head + "softmax,one,0,0,0,loss,1,d\n"), lab::error, whats("field 'seed': expected a number, found 'one'"));
    BOOST_CHECK_EXCEPTION(read(head + "softmax,1,0,0,0,loss,,d\n"), lab::error, whats("field 'value'"));
    BOOST_CHECK_EXCEPTION(read(head + "softmax,1,0,0,0,loss,1x,d\n"), lab::error, whats("field 'value'"));
    BOOST_CHECK_EXCEPTION(read(head + "softmax,1,0,0,0,loss,1,\"d\n"), lab::error, whats("closing quote"));
    BOOST_CHECK_NO_THROW(read(head));
    BOOST_CHECK_EXCEPTION(lab::read_results_csv(s.folder / "none.csv"), lab::error, whats("none.csv"));
}

BOOST_AUTO_TEST_CASE(json_round_trip) {
    scratch const s;
    auto const m = synthetic::plan();
    lab::write_results_json(s.folder / "r.json", m, awkward());
    auto const raw = lab::parse_json(s.folder / "r.json");
    BOOST_TEST(raw["results"][1]["value"].is_null());
    auto const [back, rows] = lab::read_results_json(s.folder / "r.json");
    BOOST_TEST(back.policies == m.policies, boost::test_tools::per_element());
    BOOST_TEST(back.options == m.options);
    BOOST_TEST(back.length_rule == m.length_rule);
    BOOST_REQUIRE(rows.size() == 4u);
    BOOST_TEST(rows.begin()->policy == "a, \"b\"\nc");
    BOOST_TEST(rows.begin()->value == 0.1 + 0.2);
    BOOST_TEST(std::isnan((rows.begin() + 1)->value));

    BOOST_CHECK_EXCEPTION(lab::read_results_json(s.file("x.json", "{\"results\": []}")), lab::error, whats("manifest"));
    auto broken = raw;
    broken["results"][2].erase("seed");
    BOOST_CHECK_EXCEPTION(lab::read_results_json(s.file("y.json", broken.dump())), lab::error, whats("result 3: field 'seed' is missing"));
}

BOOST_AUTO_TEST_CASE(the_schema_lists_the_metrics_of_the_code_and_no_other) {
    std::set<std::string> in_code, in_schema;
    for (auto const& m : lab::metrics()) {
        BOOST_TEST(in_code.insert(m.name).second, m.name << " is defined twice");
        BOOST_TEST(!m.definition.empty());
    }
    auto const form = schema();
    for (auto const& m : form["$defs"]["metric"]["oneOf"]) {
        auto const name = m["const"].get<std::string>();
        in_schema.insert(name);
        auto const* known = lab::find_metric(name);
        BOOST_REQUIRE_MESSAGE(known, name << " is in the schema and not in metrics.hpp");
        BOOST_TEST(m["description"].get<std::string>() == known->definition + (known->unit.empty() ? "" : " [" + known->unit + "]"));
    }
    BOOST_TEST(in_code == in_schema, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_written_has_the_keys_of_the_schema) {
    scratch const s;
    auto const m = synthetic::plan();
    lab::write_results_json(s.folder / "r.json", m, synthetic::run(m, "softmax", 1));
    auto const written = lab::parse_json(s.folder / "r.json");
    auto const form = schema();
    auto const &manifest = form["properties"]["manifest"], &row = form["$defs"]["result"];
    BOOST_TEST(keys(written) == keys(form["properties"]), boost::test_tools::per_element());
    BOOST_TEST(keys(written["manifest"]) == keys(manifest["properties"]), boost::test_tools::per_element());
    BOOST_TEST(keys(written["manifest"]) == texts(manifest["required"]), boost::test_tools::per_element());
    BOOST_REQUIRE(!written["results"].empty());
    for (auto const& r : written["results"]) {
        BOOST_REQUIRE(keys(r) == keys(row["properties"]));
        BOOST_REQUIRE(keys(r) == texts(row["required"]));
    }
}

BOOST_AUTO_TEST_SUITE_END()
