#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <ostream>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/stored_tensor.hpp>

/// \file
/// The safetensors format (github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header, the values.
/// The reader trusts nothing: lengths, shapes and offsets are checked against the file before anything is allocated or touched.

namespace attnlab {

/// A safetensors file, mapped and checked. Tensors come in the order of their bytes in the file.
class safetensors_reader {
public:
    /// \throws error naming the file and, where there is one, the tensor
    explicit safetensors_reader(std::filesystem::path path) : file_(std::make_shared<mapped_file const>(std::move(path))) {
        auto const bytes = file_->bytes();
        require(bytes.size() >= 8, where(), ": header: expected at least 8 bytes, found ", bytes.size());
        std::uint64_t length = 0;
        std::memcpy(&length, bytes.data(), 8);
        require(length <= max_header, where(), ": header: its length reads ", length, ", expected at most ", max_header);
        require(length <= bytes.size() - 8, where(), ": header: ", length, " bytes long, but ", bytes.size() - 8,
                " bytes follow; the file is cut off or no safetensors file");
        auto const header_bytes = bytes.subspan(8, static_cast<std::size_t>(length));
        read_header({reinterpret_cast<char const*>(header_bytes.data()), header_bytes.size()},
                    bytes.subspan(8 + header_bytes.size()));
    }

    std::filesystem::path const& path() const { return file_->path(); }
    std::vector<stored_tensor> const& tensors() const { return tensors_; }
    /// The `__metadata__` of the header.
    std::map<std::string, std::string> const& metadata() const { return metadata_; }

    bool contains(std::string const& name) const { return places_.count(name) != 0; }
    /// \throws error when there is no tensor of that name
    stored_tensor const& at(std::string const& name) const {
        auto const place = places_.find(name);
        require(place != places_.end(), where(), ": tensor '", name, "' is not in the file");
        return tensors_[place->second];
    }

    /// The values of a tensor, as `stored_tensor::read` converts them.
    /// \throws error when there is no such tensor, `to` is of another size, or the dtype is not one that is converted
    template <class T>
    void copy_to(std::string const& name, std::span<T> to) const {
        at(name).read(to);
    }

private:
    static constexpr std::uint64_t max_header = 100'000'000;  // the original library's cap

    std::string where() const { return file_->path().string(); }

    void read_header(std::string_view header, std::span<std::byte const> data) {
        for_each_json_field<sorted_json>(header, where() + ": header", 4, 100'000, [&](std::string const& name, sorted_json const& entry) {
            if (name != "__metadata__") {
                tensors_.push_back(read_entry(name, entry, data));
                return;
            }
            require(entry.is_object(), where(), ": header: field '__metadata__': expected an object of texts");
            for (auto const& [key, value] : entry.items()) metadata_[key] = json_as<std::string>(value, where() + ": __metadata__", key);
        });
        std::stable_sort(tensors_.begin(), tensors_.end(), [](auto const& a, auto const& b) {
            return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
        });
        std::byte const* end = data.data();
        for (auto const& tensor : tensors_) {
            require(tensor.bytes.data() >= end, where(), ": tensor '", tensor.name, "': shares bytes with the tensor before it");
            require(tensor.bytes.data() == end, where(), ": tensor '", tensor.name, "': bytes that belong to no tensor lie before it");
            end = tensor.bytes.data() + tensor.bytes.size();
        }
        require(end == data.data() + data.size(), where(), ": ", data.data() + data.size() - end, " bytes after the last tensor");
        for (std::size_t i = 0; i < tensors_.size(); ++i) places_[tensors_[i].name] = i;
    }

    stored_tensor read_entry(std::string const& name, sorted_json const& entry, std::span<std::byte const> data) const {
        std::string const at = where() + ": tensor '" + name + "'";
        auto const spelled = field<std::string>(entry, at, "dtype");
        auto const type = dtype_named(spelled);
        if (!type) {
            std::vector<std::string_view> names;
            for (auto const& d : dtypes) names.push_back(d.name);
            fail(at, ": dtype '", spelled, "': expected one of ", joined(names));
        }
        stored_tensor tensor{name, *type, field<std::vector<index_t>>(entry, at, "shape"), {}, file_};
        std::size_t expected = about(*type).bits;
        for (index_t n : tensor.shape) {
            require(n >= 0, at, ": shape: ", n, ": expected no negative dimension");
            require(!__builtin_mul_overflow(expected, static_cast<std::size_t>(n), &expected), at, ": shape: larger than any file");
        }
        require(expected % 8 == 0, at, ": shape: ", expected, " bits: expected whole bytes");
        expected /= 8;
        auto const offsets = field<std::vector<std::uint64_t>>(entry, at, "data_offsets");
        require(offsets.size() == 2 && offsets[0] <= offsets[1], at, ": data_offsets: expected two numbers in ascending order");
        require(offsets[1] <= data.size(), at, ": data_offsets: ends at byte ", offsets[1], ", but the data end at ", data.size());
        tensor.bytes = data.subspan(offsets[0], offsets[1] - offsets[0]);
        require(tensor.bytes.size() == expected, at, ": holds ", tensor.bytes.size(), " bytes, expected ", expected,
                " from its shape and dtype");
        return tensor;
    }

    std::shared_ptr<mapped_file const> file_;
    std::vector<stored_tensor> tensors_;
    std::map<std::string, std::string> metadata_;
    std::unordered_map<std::string, std::size_t> places_;
};

/// Collects tensors and writes them as one file. Values are looked at, not copied: they must live until `write`.
class safetensors_writer {
public:
    std::map<std::string, std::string> metadata;

    /// Adds a tensor of float (F32), double (F64) or std::int64_t (I64) values.
    /// \throws error when the name is taken or the shape is not of that many values
    template <std::ranges::contiguous_range Values>
        requires std::ranges::borrowed_range<Values>  // a temporary container would be gone at `write`
    void add(std::string name, std::vector<index_t> shape, Values&& values) {
        using T = std::remove_cv_t<std::ranges::range_value_t<Values>>;
        static_assert(std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int64_t>,
                      "safetensors_writer::add: values of float, double or std::int64_t");
        constexpr dtype type = std::same_as<T, float> ? dtype::f32 : std::same_as<T, double> ? dtype::f64 : dtype::i64;
        std::span<T const> const all(std::ranges::data(values), std::ranges::size(values));
        index_t count = 1;
        for (index_t n : shape) {
            require(n >= 0, "tensor '", name, "': shape: ", n, ": expected no negative dimension");
            count *= n;
        }
        require(count == static_cast<index_t>(all.size()), "tensor '", name, "': the shape is of ", count, " values, expected ",
                all.size());
        require(name != "__metadata__", "tensor '__metadata__': expected another name, this one belongs to the format");
        for (auto const& tensor : tensors_) require(tensor.name != name, "tensor '", name, "' is added twice");
        tensors_.push_back({std::move(name), type, std::move(shape), std::as_bytes(all)});
    }

    /// Adds a view under its own shape.
    template <class T, std::size_t N>
    void add(std::string name, view<T, N> values) {
        add(std::move(name), std::vector<index_t>(values.shape().begin(), values.shape().end()), std::span<T>(values));
    }

    /// Writes the file atomically. Wide types come first, so that all values lie aligned; otherwise the order is that of `add`.
    /// \throws error naming the path
    void write(std::filesystem::path const& path) const {
        auto tensors = tensors_;
        std::stable_partition(tensors.begin(), tensors.end(), [](auto const& t) { return t.type != dtype::f32; });
        json header = json::object();
        if (!metadata.empty()) header["__metadata__"] = metadata;
        std::uint64_t at = 0;
        for (auto const& t : tensors) {
            header.push_back({t.name, {{"dtype", about(t.type).name}, {"shape", t.shape}, {"data_offsets", {at, at + t.bytes.size()}}}});
            at += t.bytes.size();
        }
        std::string head;
        try {
            head = header.dump();
        } catch (json::exception const&) {
            fail(path.string(), ": expected names and metadata in UTF-8");
        }
        head.append((8 - head.size() % 8) % 8, ' ');
        write_atomically(path, [&](std::ostream& out) {
            std::uint64_t const length = head.size();
            out.write(reinterpret_cast<char const*>(&length), 8);
            out << head;
            for (auto const& t : tensors) out.write(reinterpret_cast<char const*>(t.bytes.data()), static_cast<std::streamsize>(t.bytes.size()));
        });
    }

private:
    std::vector<stored_tensor> tensors_;
};

}  // namespace attnlab
