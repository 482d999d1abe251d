#pragma once
#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/train/optimizer.hpp>

/// \file
/// A run on disk: one .safetensors file with the parameters under their own names, the optimizer's arrays as
/// "optimizer.<array>.<parameter>", and the rest as texts in `__metadata__`. A run that resumes from it gives the same bits as
/// one that never stopped: batches and rates are functions of the step's number, so there is nothing else to keep.

namespace attnlab {

/// attnlab's version, written into every checkpoint.
inline constexpr std::string_view version = "0.1.0";

/// Sums over the steps that were looked at (`step_record::log`) since the last evaluation.
struct step_sums {
    std::int64_t steps = 0;
    double loss = 0, gradient_norm = 0;
};
/// Where a run stands.
struct training_state {
    std::string config = "{}";   ///< JSON text: what is needed to build the model again
    std::int64_t iteration = 0;  ///< steps done
    std::int64_t tokens_seen = 0;
    double best_val_loss = std::numeric_limits<double>::infinity();  ///< nats
    std::string written_by = std::string(version);                   ///< attnlab's version
    step_sums since_evaluation = {};
};

namespace detail {

template <class Number>
std::string digits(Number value) {
    char out[32];
    return {out, std::to_chars(out, out + sizeof out, value).ptr};
}

inline std::string metadata_text(safetensors_reader const& file, std::string const& key) {
    auto const at = file.metadata().find(key);
    require(at != file.metadata().end(), file.path().string(), ": __metadata__: field '", key,
            "' is missing: expected an attnlab checkpoint");
    return at->second;
}

template <class Number>
Number metadata_number(safetensors_reader const& file, std::string const& key) {
    auto const given = metadata_text(file, key);
    Number value{};
    auto const [end, problem] = std::from_chars(given.data(), given.data() + given.size(), value);
    require(problem == std::errc{} && end == given.data() + given.size() && value >= 0, file.path().string(),
            ": __metadata__: field '", key, "': '", given, "': expected a ", std::integral<Number> ? "whole number" : "number",
            ", not negative");
    return value;
}

/// "a, b, c and 20 more"
inline std::string first_few(std::vector<std::string> const& names) {
    constexpr std::size_t few = 6;
    if (names.size() <= few) return joined(names);
    return text(joined(std::vector<std::string>(names.begin(), names.begin() + few)), " and ", names.size() - few, " more");
}

template <class T>
std::vector<named_array<T>> arrays_of(parameter_list<T> const& parameters) {
    std::vector<named_array<T>> out;
    for (auto const& p : parameters) out.push_back({p->name, p->shape, p->value});
    return out;
}

inline bool is_optimizer_array(std::string const& name) { return name.starts_with("optimizer."); }

/// Fills the arrays from the file, once all names and shapes are known to agree.
template <class T>
void fill(std::vector<named_array<T>> const& arrays, safetensors_reader const& file, bool ignore_optimizer) {
    auto const where = file.path().string();
    std::vector<std::string> missing, unexpected;
    for (auto const& a : arrays)
        if (!file.contains(a.name)) missing.push_back(a.name);
    for (auto const& t : file.tensors()) {
        bool const wanted = std::any_of(arrays.begin(), arrays.end(), [&](auto const& a) { return a.name == t.name; });
        if (!wanted && !(ignore_optimizer && is_optimizer_array(t.name))) unexpected.push_back(t.name);
    }
    if (!missing.empty() || !unexpected.empty())
        fail(where, ": the tensors are not the model's:", missing.empty() ? "" : text(" missing ", first_few(missing)),
             missing.empty() || unexpected.empty() ? "" : ";",
             unexpected.empty() ? "" : text(" unexpected ", first_few(unexpected)));
    for (auto const& a : arrays) {
        auto const& found = file.at(a.name).shape;
        require(found == a.shape, where, ": tensor '", a.name, "': shape ", shape_text(found), ", expected the model's ",
                shape_text(a.shape));
    }
    for (auto const& a : arrays) file.copy_to(a.name, a.values);
}

}  // namespace detail

/// Writes the file atomically: after a failure, or a crash, the one before is still there. \throws error naming the path
template <class T>
void save_checkpoint(std::filesystem::path const& path, parameter_list<T> const& parameters, optimizer<T>& opt,
                     training_state const& state) {
    safetensors_writer out;
    for (auto const& a : detail::arrays_of(parameters)) out.add(a.name, a.shape, a.values);
    for (auto const& a : opt.state()) out.add(a.name, a.shape, a.values);
    out.metadata = {{"attnlab_version", state.written_by},
                    {"config", state.config},
                    {"iteration", detail::digits(state.iteration)},
                    {"tokens_seen", detail::digits(state.tokens_seen)},
                    {"best_val_loss", detail::digits(state.best_val_loss)},
                    {"steps_since_evaluation", detail::digits(state.since_evaluation.steps)},
                    {"loss_since_evaluation", detail::digits(state.since_evaluation.loss)},
                    {"gradient_norm_since_evaluation", detail::digits(state.since_evaluation.gradient_norm)},
                    {"optimizer", opt.settings().optim_name},
                    {"optimizer_steps", detail::digits(opt.steps())}};
    out.write(path);
}

/// What a checkpoint says about its run: enough to build the model it belongs to. \throws error when it is no attnlab checkpoint
inline training_state read_training_state(safetensors_reader const& file) {
    training_state out{detail::metadata_text(file, "config"), detail::metadata_number<std::int64_t>(file, "iteration"),
                       detail::metadata_number<std::int64_t>(file, "tokens_seen"), detail::metadata_number<double>(file, "best_val_loss"),
                       detail::metadata_text(file, "attnlab_version")};
    if (file.metadata().contains("steps_since_evaluation"))   // earlier files have none
        out.since_evaluation = {detail::metadata_number<std::int64_t>(file, "steps_since_evaluation"), detail::metadata_number<double>(file, "loss_since_evaluation"),
                                detail::metadata_number<double>(file, "gradient_norm_since_evaluation")};
    return out;
}

/// Fills parameters from any .safetensors file that has exactly them; optimizer state, if any, is passed over. Numbers of another
/// type are converted. \throws error naming file and tensor; nothing is changed unless all names and shapes agree
template <class T>
void load_weights(safetensors_reader const& file, parameter_list<T> const& parameters) {
    detail::fill(detail::arrays_of(parameters), file, true);
}

/// What became of the names when weights went to a model of another attention.
struct weights_taken {
    std::vector<std::string> fresh;   ///< parameters that the file does not have, left as they were
    std::vector<std::string> left;    ///< tensors that the model does not have
};

/// Whether a parameter of a GPT belongs to it under any attention.
inline bool is_of_any_gpt(std::string_view name) {
    for (std::string_view const part : {".wte.", ".wpe.", ".ln_1.", ".ln_2.", ".ln_f.", ".attn.c_attn.", ".attn.c_proj.", ".mlp.c_fc.", ".mlp.c_proj."})
        if (name.find(part) != name.npos) return true;
    return name == "lm_head.weight";
}

/// Fills what file and model have in common, once it is known to be all but the parameters of their attentions. Of a GPT's longer table of
/// positions the first are taken. \param shared  of a name: whether it is the model's under any attention \throws error naming file and tensor
template <class T, class Shared>
weights_taken load_shared_weights(safetensors_reader const& file, parameter_list<T> const& parameters, Shared shared) {
    weights_taken out;
    std::vector<named_array<T>> both;
    for (auto const& a : detail::arrays_of(parameters)) {
        if (file.contains(a.name)) both.push_back(a);
        else {
            require(!shared(a.name), file.path().string(), ": tensor '", a.name, "' is missing");
            out.fresh.push_back(a.name);
        }
    }
    for (auto const& t : file.tensors()) {
        bool const wanted = std::any_of(both.begin(), both.end(), [&](auto const& a) { return a.name == t.name; });
        if (wanted || detail::is_optimizer_array(t.name)) continue;
        require(!shared(t.name), t.where(), ": this model has none of that name");
        out.left.push_back(t.name);
    }
    for (auto const& a : both) {
        auto expected = a.shape;
        if (a.name.ends_with(".wpe.weight") && file.at(a.name).shape.front() > expected.front()) expected.front() = file.at(a.name).shape.front();
        require(file.at(a.name).shape == expected, file.at(a.name).where(), ": shape ", shape_text(file.at(a.name).shape), ": expected the model's ", shape_text(a.shape));
    }
    for (auto const& a : both) file.at(a.name).read(a.values.data(), 0, static_cast<index_t>(a.values.size()));
    return out;
}

/// Takes up a run: parameters and optimizer as they were when the file was written.
/// \throws error when names, shapes, number type or optimizer differ; nothing is changed then
template <class T>
training_state load_checkpoint(std::filesystem::path const& path, parameter_list<T> const& parameters, optimizer<T>& opt) {
    safetensors_reader const file(path);
    auto const state = read_training_state(file);
    auto const kind = detail::metadata_text(file, "optimizer");
    require(kind == opt.settings().optim_name, path.string(), ": __metadata__: field 'optimizer': '", kind,
            "': expected the run's optim_name, '", opt.settings().optim_name, "'");
    for (auto const& t : file.tensors())
        require(t.type == (std::same_as<T, float> ? dtype::f32 : dtype::f64), t.where(), ": type ", about(t.type).name,
                ", expected the model's ", std::same_as<T, float> ? "F32" : "F64");
    auto const steps = detail::metadata_number<std::int64_t>(file, "optimizer_steps");
    auto arrays = detail::arrays_of(parameters);
    for (auto& a : opt.state()) arrays.push_back(std::move(a));
    detail::fill(arrays, file, false);
    opt.set_steps(steps);
    return state;
}

}  // namespace attnlab
