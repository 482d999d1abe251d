// A tokenizer.json of any bytes, up to the first zero byte; what follows is text for it, and then tokens.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/data/tokenizer/load.hpp>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace attnlab;
    std::string_view const all(reinterpret_cast<char const*>(data), size);
    auto const file = all.substr(0, all.find('\0'));
    auto const words = file.size() < size ? all.substr(file.size() + 1) : "the <s> text\n\n  of \xff 123 caf\u00e9</s>";
    try {
        static tokenizers::folder_settings const none("/nowhere");
        auto const t = tokenizers::make_tokenizer(parse_json_text<sorted_json>(file, "tokenizer.json"), "tokenizer.json", none);
        auto const tokens = t->encode(words, true);
        t->decode(tokens);
        t->decode(tokens, true);
        std::vector<token> any;
        for (char c : words) any.push_back(static_cast<unsigned char>(c));
        t->decode(any);
    } catch (error const&) {
    }
    return 0;
}
