// Folders of weights: one file, shards with an index, and what is wrong with either.
#include <string>
#include <vector>

#include <attnlab/models/model_folder.hpp>

#include "fixtures.hpp"
#include "io/folder.hpp"

BOOST_AUTO_TEST_SUITE(model_folders)

using namespace attnlab;

namespace {

void write(std::filesystem::path const& path, std::vector<std::pair<std::string, std::vector<float>>> const& tensors) {
    safetensors_writer out;
    for (auto const& [name, values] : tensors) out.add(name, {static_cast<index_t>(values.size())}, std::span<float const>(values));
    out.write(path);
}

/// Two shards: a.safetensors with `one`, b.safetensors with `two` and `three`.
struct sharded {
    folder place;
    json index{{"metadata", {{"total_size", 24}}}, {"weight_map", {{"one", "a.safetensors"}, {"two", "b.safetensors"}, {"three", "b.safetensors"}}}};

    sharded() {
        write(place / "a.safetensors", {{"one", {1, 2}}});
        write(place / "b.safetensors", {{"two", {3}}, {"three", {4, 5, 6}}});
        save();
    }
    void save() const { write_json(place / "model.safetensors.index.json", index); }
    std::string refusal() const {
        save();
        return error_of([&] { model_folder{place.path}; });
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(tensors_come_from_whichever_file_has_them) {
    sharded s;
    model_folder const m(s.place.path);
    BOOST_TEST(m.files() == 2u);
    BOOST_TEST(m.names() == (std::vector<std::string>{"one", "three", "two"}), boost::test_tools::per_element());
    BOOST_TEST(m.has("two"));
    BOOST_TEST(!m.has("four"));
    std::vector<float> values(3);
    m.tensor("three", {3}).read(std::span(values));
    BOOST_TEST(values == (std::vector<float>{4, 5, 6}), boost::test_tools::per_element());
    BOOST_TEST(names(m.tensor("one").where(), "a.safetensors", "'one'"));
    BOOST_TEST(m.unread() == std::vector<std::string>{"two"}, boost::test_tools::per_element());
    BOOST_TEST(names(error_of([&] { m.tensor("four"); }), "model.safetensors.index.json", "'four'", "missing"));
    BOOST_TEST(names(error_of([&] { m.tensor("two", {1, 1}); }), "b.safetensors", "'two'", "(1,)", "expected (1, 1)"));
}

BOOST_AUTO_TEST_CASE(one_file_goes_before_an_index) {
    sharded s;
    write(s.place / "model.safetensors", {{"only", {7}}, {"model.layers.0.self_attn.rotary_emb.inv_freq", {1}}, {"h.0.attn.bias", {1}}});
    model_folder const m(s.place.path);
    BOOST_TEST(m.files() == 1u);
    BOOST_TEST(m.source().filename().string() == "model.safetensors");
    BOOST_TEST(m.unread() == std::vector<std::string>{"only"}, boost::test_tools::per_element());  // tables are no weights
    BOOST_TEST(m.parameters() == 1);
}

BOOST_AUTO_TEST_CASE(an_index_is_held_to_its_word) {
    sharded s;
    auto const map = [&](std::string const& name, json const& value) {
        sharded changed;
        changed.index["weight_map"][name] = value;
        return changed.refusal();
    };
    BOOST_TEST(names(map("four", "c.safetensors"), "index.json", "'four'", "c.safetensors", "missing"));
    BOOST_TEST(names(map("four", "b.safetensors"), "index.json", "'four'", "is not in 'b.safetensors'"));
    BOOST_TEST(names(map("one", 3), "index.json", "'one'", "a text"));
    for (auto const* outside : {"../a.safetensors", "/etc/passwd", "..", "", "x/a.safetensors", "."})
        BOOST_TEST(names(map("one", outside), "index.json", "'one'", "same folder"));
    write(s.place / "a.safetensors", {{"one", {1, 2}}, {"two", {3}}});
    BOOST_TEST(names(s.refusal(), "b.safetensors", "'two'", "is in a.safetensors too"));
    s.index["weight_map"] = json::object();
    BOOST_TEST(names(s.refusal(), "index.json", "weight_map"));
    s.index.erase("weight_map");
    BOOST_TEST(names(s.refusal(), "index.json", "weight_map", "missing"));
    s.place.write("model.safetensors.index.json", std::string(100, '['));
    BOOST_TEST(names(error_of([&] { model_folder{s.place.path}; }), "index.json", "nested"));
}

BOOST_AUTO_TEST_CASE(a_folder_without_weights_says_what_is_there) {
    folder const f;
    BOOST_TEST(names(error_of([&] { model_folder{f.path}; }), f.path.string(), "expected model.safetensors"));
    f.write("pytorch_model.bin", "");
    BOOST_TEST(names(error_of([&] { model_folder{f.path}; }), "found pytorch_model.bin"));
    BOOST_TEST(names(error_of([&] { model_folder{f / "none"}; }), "none", "expected a folder"));
}

BOOST_AUTO_TEST_CASE(fixtures_of_every_family_are_read) {
    int found = 0;
    for (auto const& entry : std::filesystem::directory_iterator(fixtures() / "llm")) {
        if (!entry.is_directory()) continue;
        model_folder const m(entry.path() / "model");
        for (auto const& name : m.names()) {
            auto const t = m.tensor(name);
            std::vector<float> values(static_cast<std::size_t>(t.size()));
            t.read(std::span(values));
            t.release();
        }
        BOOST_TEST(m.unread().empty());
        ++found;
    }
    BOOST_TEST(found > 0);
}

BOOST_AUTO_TEST_SUITE_END()
