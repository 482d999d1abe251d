#pragma once
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/models/config_fields.hpp>

/// \file
/// A Hugging Face config.json, read field by field. What nobody read is looked at in the end: a choice that changes results must
/// not be passed over.

namespace attnlab {

/// The fields of one object of a config.json. Null is as good as missing. Errors name file, field and what was expected.
class config_section {
public:
    config_section(json fields, std::string where) : fields_(std::move(fields)), where_(std::move(where)) {
        require(fields_.is_object(), where_, ": expected an object of fields");
    }

    /// How an error line about this object begins.
    std::string const& where() const { return where_; }

    /// Whether the field is there and not null. Asking is not reading.
    bool has(std::string const& name) const {
        auto const at = fields_.find(name);
        return at != fields_.end() && !at->is_null();
    }

    /// Whether the field is there and null, where that turns off what would otherwise be on.
    bool is_null(std::string const& name) const {
        auto const at = fields_.find(name);
        return at != fields_.end() && at->is_null();
    }

    /// Whether the field is this text, where it may be of another type.
    bool says(std::string const& name, std::string_view what) const {
        auto const at = fields_.find(name);
        return at != fields_.end() && at->is_string() && at->get_ref<std::string const&>() == what;
    }

    /// No size or length of a model is larger; none has more layers, heads, channels of a head or experts than `many`.
    static constexpr index_t largest = index_t{1} << 24, many = index_t{1} << 16;

    /// A size or a count from `least` to `most`. \throws error
    index_t integer(std::string const& name, index_t least = 1, index_t most = largest) const {
        return within(name, read<index_t>(name), least, most);
    }
    index_t integer_or(std::string const& name, index_t otherwise, index_t least = 1, index_t most = largest) const {
        return present(name) ? integer(name, least, most) : otherwise;
    }
    /// \throws error; infinities and NaN are no numbers here
    double number(std::string const& name) const {
        double const value = read<double>(name);
        require(std::isfinite(value), where_, ": field '", name, "': expected a finite number, found ", value);
        return value;
    }
    double number_or(std::string const& name, double otherwise) const { return present(name) ? number(name) : otherwise; }
    /// A scale. \throws error for 0 and below too
    double positive_or(std::string const& name, double otherwise) const {
        double const value = number_or(name, otherwise);
        require(value > 0, where_, ": field '", name, "': ", value, ": expected more than 0");
        return value;
    }
    bool flag(std::string const& name) const { return read<bool>(name); }
    bool flag_or(std::string const& name, bool otherwise) const { return present(name) ? flag(name) : otherwise; }
    std::string word(std::string const& name) const { return read<std::string>(name); }
    std::string word_or(std::string const& name, std::string otherwise) const { return present(name) ? word(name) : otherwise; }
    /// A list of texts, such as layer_types; empty where there is none.
    std::vector<std::string> words(std::string const& name) const {
        return present(name) ? read<std::vector<std::string>>(name) : std::vector<std::string>{};
    }
    /// A list of numbers; empty where there is none.
    std::vector<double> numbers(std::string const& name) const {
        return present(name) ? read<std::vector<double>>(name) : std::vector<double>{};
    }

    /// A list of whole numbers, such as no_rope_layers; empty where there is none.
    std::vector<index_t> integers(std::string const& name) const {
        return present(name) ? read<std::vector<index_t>>(name) : std::vector<index_t>{};
    }

    /// An object in a field, such as rope_scaling; without fields where there is none. Lives as long as this one.
    config_section const& section(std::string const& name) const {
        read_.insert(name);
        auto const where = where_ + ": " + name;
        for (auto const& known : sections_)
            if (known.where_ == where) return known;
        json inside = json::object();
        if (has(name)) inside = fields_[name];
        require(inside.is_object(), where_, ": field '", name, "': expected an object, found ", detail::json_glimpse(inside));
        return sections_.emplace_back(std::move(inside), where);
    }

    /// The field must be missing or equal to `only`, as in `expect("attention_bias", false)`. \throws error that names the field
    template <class T>
    void expect(std::string const& name, T const& only) const {
        read_.insert(name);
        if (has(name) && fields_[name] != json(only))
            fail(where_, ": field '", name, "': ", detail::json_glimpse(fields_[name]), ": expected ", json(only).dump(),
                 ", all that attnlab has here");
    }
    /// For a field that this family takes no notice of, nor does anybody else.
    void ignore(std::initializer_list<char const*> names) const { read_.insert(names.begin(), names.end()); }

    /// Fields that nobody read: fine where they change no result, or are set to what changes none.
    /// \throws error that names the first that changes results, or of which nobody knows whether it does
    void check_all_read() const {
        for (auto const& [name, value] : fields_.items()) {
            if (read_.contains(name) || value.is_null()) continue;
            switch (effect_of(name, value)) {
                case field_effect::none:
                    break;
                case field_effect::changes:
                    fail(where_, ": field '", name, "': ", detail::json_glimpse(value),
                         ": changes results, and attnlab does not have it");
                case field_effect::unknown:
                    fail(where_, ": field '", name, "': ", detail::json_glimpse(value),
                         ": unknown, it may change results; take it out of the file if it does not");
            }
        }
        for (auto const& inside : sections_) inside.check_all_read();
    }

protected:
    bool present(std::string const& name) const {
        read_.insert(name);
        return has(name);
    }
    template <class T>
    T read(std::string const& name) const {
        read_.insert(name);
        return field<T>(fields_, where_, name);
    }
    index_t within(std::string const& name, index_t value, index_t least, index_t most) const {
        require(least <= value && value <= most, where_, ": field '", name, "': ", value, ": expected ", least, " to ", most);
        return value;
    }

private:
    json fields_;
    std::string where_;
    mutable std::set<std::string> read_;
    mutable std::list<config_section> sections_;
};

/// The config.json of a model folder, or the file itself.
class config_file : public config_section {
public:
    explicit config_file(std::filesystem::path const& path) : config_file(path, std::filesystem::is_directory(path)) {}
    /// One that lies elsewhere. \param where  how an error line about it begins
    config_file(json fields, std::string where) : config_section(std::move(fields), std::move(where)) {}

    /// model_type: "llama", "gpt2", ...
    std::string family() const { return word("model_type"); }

private:
    config_file(std::filesystem::path const& path, bool is_folder)
        : config_section(parse_json(is_folder ? path / "config.json" : path),
                         (is_folder ? path / "config.json" : path).string()) {}
};

}  // namespace attnlab
