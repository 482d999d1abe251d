#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// A value of a JSON file that knows where it stands, so that each error does too.

namespace attnlab::tokenizers {

struct json_place {
    sorted_json const* value;
    std::string where;  ///< "FOLDER/tokenizer.json: pre_tokenizer.pretokenizers[0]"

    bool null() const { return value->is_null(); }
    bool has(std::string const& name) const { return value->is_object() && value->contains(name) && !(*value)[name].is_null(); }

    /// A field that is there, or null. \throws error when this is no object
    json_place at(std::string const& name) const {
        static sorted_json const nothing;
        require(value->is_object(), where, ": expected an object with the field '", name, "'");
        auto const found = value->find(name);
        return {found == value->end() ? &nothing : &*found, where + (where.ends_with(".json") ? ": " : ".") + name};
    }

    /// The elements of a list. \throws error when this is none
    std::vector<json_place> elements() const {
        require(value->is_array(), where, ": expected a list, found ", attnlab::detail::json_glimpse(*value));
        std::vector<json_place> out;
        for (std::size_t i = 0; i < value->size(); ++i) out.push_back({&(*value)[i], text(where, '[', i, ']')});
        return out;
    }

    template <class T>
    T get(std::string const& name) const {
        return field<T>(*value, where, name);
    }
    template <class T>
    T get(std::string const& name, T otherwise) const {
        return field_or<T>(*value, where, name, std::move(otherwise));
    }

    /// \throws error when there is a field of another name: it might change results
    void only(std::vector<std::string_view> const& names) const {
        require(value->is_object(), where, ": expected an object, found ", attnlab::detail::json_glimpse(*value));
        for (auto const& [name, ignored] : value->items())
            require(std::find(names.begin(), names.end(), name) != names.end(), where, ": field '", name,
                    "' is not supported: expected ", joined(names));
    }
};

}  // namespace attnlab::tokenizers
