#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/sample.hpp>

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(sample)

namespace {
/// A folder of its own, gone at the end.
struct scratch {
    std::filesystem::path folder = std::filesystem::temp_directory_path() / ("attnlab-sample-" + std::to_string(::getpid()));
    scratch() { std::filesystem::create_directories(folder); }
    ~scratch() { std::filesystem::remove_all(folder); }
};

lab::sample made() {
    lab::sample_taker<double> taker;
    lab::tensor<double, 4> p({2, 3, 2, 2}, 0);  // B = 2, H = 3, T = 2
    for (lab::index_t l = 0; l < 2; ++l) {
        for (lab::index_t i = 0; i < p.size(); ++i) p.data()[i] = static_cast<double>(100 * l + i);
        taker(lab::site::pattern{}, l, *std::as_const(p));
    }
    return taker.take("softmax", 3, {0, 47}, {"<bos>", "\"é\""});
}
bool mentions(lab::error const& e, char const* word) { return std::string(e.what()).find(word) != std::string::npos; }
}  // namespace

BOOST_AUTO_TEST_CASE(takes_the_first_sequence_of_each_layer) {
    auto const s = made();
    BOOST_TEST(s.layers() == 2);
    BOOST_TEST(s.heads() == 3);
    BOOST_TEST(s.map(0, 0)(0, 0) == 0);
    BOOST_TEST(s.map(1, 2)(1, 1) == 111);
}

BOOST_AUTO_TEST_CASE(round_trip) {
    scratch const s;
    auto const before = made();
    lab::write_sample(s.folder / "sample.safetensors", before);
    auto const after = lab::read_sample(s.folder / "sample.safetensors");
    BOOST_TEST(after.policy == "softmax");
    BOOST_TEST(after.seed == 3);
    BOOST_TEST(after.tokens == before.tokens, boost::test_tools::per_element());
    BOOST_TEST(after.labels == before.labels, boost::test_tools::per_element());
    BOOST_TEST((after.pattern.shape() == before.pattern.shape()));
    for (lab::index_t i = 0; i < before.pattern.size(); ++i) BOOST_TEST(after.pattern.data()[i] == before.pattern.data()[i]);
}

BOOST_AUTO_TEST_CASE(refuses_what_does_not_fit) {
    lab::sample_taker<float> nothing;
    BOOST_CHECK_THROW(nothing.take("softmax", 1, {}, {}), lab::error);
    lab::sample_taker<float> one;
    lab::tensor<float, 4> p({1, 1, 2, 2}, 0);
    one(lab::site::pattern{}, 0, *std::as_const(p));
    BOOST_CHECK_EXCEPTION(one.take("softmax", 1, {0}, {"a", "b"}), lab::error, [](auto& e) { return mentions(e, "2 tokens"); });

    scratch const s;
    auto const path = s.folder / "other.safetensors";
    std::vector<float> const x(4);
    lab::safetensors_writer w;
    w.add("pattern", {2, 2}, x);
    w.write(path);
    BOOST_CHECK_EXCEPTION(lab::read_sample(path), lab::error, [](auto& e) { return mentions(e, "policy"); });
    w.metadata = {{"policy", "softmax"}, {"seed", "1"}, {"labels", "[]"}};
    w.write(path);
    BOOST_CHECK_EXCEPTION(lab::read_sample(path), lab::error, [](auto& e) { return mentions(e, "pattern"); });
    w.metadata["seed"] = "one";
    w.write(path);
    BOOST_CHECK_EXCEPTION(lab::read_sample(path), lab::error, [](auto& e) { return mentions(e, "seed"); });
}

BOOST_AUTO_TEST_SUITE_END()
