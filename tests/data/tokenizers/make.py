"""Writes the cases beside it with Hugging Face's tokenizers (pip install tokenizers), whose results attnlab must give:
    python make.py FOLDER
Small vocabularies, one for each form of tokenizer.json that language models have and ../shared/fixtures lacks."""
import json, os, sys
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

words = ("the model of a language reads tokens, not words: 1234 tokens of 56 words. It's what we've said; they'll see. "
         "HTTPServer getHTTPResponse camelCase x_y=z+1 def f(x):\n    return x\n\n\nThe End. the\u0301 caf\u00e9 na\u00efve \u4f60\u597d "
         "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \U0001f600 ").split(" ") * 3
TEXTS = [
    "", " ", "   ", "a", "\n", " \n\n  x", "The model of a language.", "  the  model  ", "tokens\tof\t\twords\r\n", "1", "12 123 1234 12345 1,000.5",
    "It's we've THEY'LL i'M 's' d'd", "getHTTPResponse camelCase XMLHttpRequest ABCdef", "x_y=z+1 == != ... !!! ?!", "def f(x):\n    return x\n\n\n",
    "caf\u00e9 cafe\u0301 na\u00efve \ufb01 \u00c5 A\u030a \u2460 \u00bd \u0663", "\u4f60\u597d\u4e16\u754c \u0440\u0443\u0441\u0441\u043a\u0438\u0439 \U0001f600\U0001f468\u200d\U0001f469",
    "a\u00a0b\u2003c\u3000d\u200be\u180ef\u0085g\u2028h", "<s>the</s>", "the <s> model </s>words", "<|one|>word<|one|>", " <|left|> x  <|left|>", "x <|right|>   y<|right|>",
    "<|both|>  a  <|both|>", "a<|word|>b <|word|> c", "<|word|>", "x    y        z", "\u2581the \u2581 a", "<0x41><0x0A>", "a\u0000b\u0001\x7f", "'\u017ftop '\u017f",
]


def train(model, pre, normalizer=None, size=340, **more):
    tokenizer = Tokenizer(model)
    if normalizer: tokenizer.normalizer = normalizer
    if pre: tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(words + [" ".join(words)], trainers.BpeTrainer(vocab_size=size, show_progress=False, **more))
    return tokenizer


def byte_level(pre, normalizer=None, **options):
    tokenizer = train(models.BPE(**options), pre, normalizer, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def template(tokenizer, text):
    special = [(t, tokenizer.token_to_id(t)) for t in ("<s>", "</s>") if t in text.split()]
    tokenizer.post_processor = processors.TemplateProcessing(single=text, pair=text + " $B", special_tokens=special)
    return tokenizer


FLAGS = [AddedToken("<|left|>", lstrip=True), AddedToken("<|right|>", rstrip=True, normalized=False), AddedToken("<|both|>", lstrip=True, rstrip=True),
         AddedToken("<|word|>", single_word=True), AddedToken("        "), AddedToken("    ")]
bytes_only = lambda **o: pre_tokenizers.ByteLevel(use_regex=False, add_prefix_space=False, **o)


def falcon():
    split = pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")
    return byte_level(pre_tokenizers.Sequence([pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
                                               pre_tokenizers.Digits(individual_digits=False), split]))


def neox():   # Pythia, MPT, Phi-2: runs of spaces are added tokens
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC())
    tokenizer.add_special_tokens(["<|one|>"])
    tokenizer.add_tokens(FLAGS)
    return tokenizer


def starcoder():
    tokenizer = byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel()]))
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return template(tokenizer, "<s> $A </s>")


def o200k():   # gpt-oss
    upper, lower, tail = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    regex = "|".join([rf"[^\r\n\p{{L}}\p{{N}}]?{upper}*{lower}+{tail}", rf"[^\r\n\p{{L}}\p{{N}}]?{upper}+{lower}*{tail}", r"\p{N}{1,3}",
                      r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
    return byte_level(pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "isolated"), bytes_only()]), ignore_merges=True)


def removed():   # what matches is kept, as old conversions from tiktoken write it
    regex = r"(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
    return byte_level(pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "removed", invert=True), bytes_only()]))


def gemma():
    specials = ["<pad>", "</s>", "<s>", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
    tokenizer = train(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), pre_tokenizers.Split(" ", "merged_with_previous"),
                      normalizers.Replace(" ", "\u2581"), 330, special_tokens=specials, limit_alphabet=40)
    raw = json.loads(tokenizer.to_str())
    raw["added_tokens"] = raw["added_tokens"][:4]
    tokenizer = Tokenizer.from_str(json.dumps(raw))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return template(tokenizer, "<s> $A")


def metaspace():   # an unknown token, no bytes
    tokenizer = train(models.BPE(unk_token="<unk>"), pre_tokenizers.Metaspace(prepend_scheme="first"), normalizers.NFKC(), 150,
                      special_tokens=["<unk>", "<s>", "</s>"], limit_alphabet=40)
    tokenizer.add_tokens(FLAGS)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    return template(tokenizer, "<s> $A")


def mistral():   # bytes, but not of every unknown character; Metaspace that splits nothing
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(0x20, 0xF0)]
    tokenizer = train(models.BPE(unk_token="<unk>", byte_fallback=True), pre_tokenizers.Metaspace(prepend_scheme="always", split=False), None, 330,
                      special_tokens=specials, limit_alphabet=30)
    raw = json.loads(tokenizer.to_str())
    raw["added_tokens"] = raw["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(raw))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return template(tokenizer, "<s> $A")


def plain():   # no step at all, and no decoder
    return train(models.BPE(), None, None, 80, limit_alphabet=40)


def expected(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    return dict(text=text, ids=ids, tokens=[tokenizer.id_to_token(i) for i in ids], ids_with_special=tokenizer.encode(text).ids,
                decoded=tokenizer.decode(ids, skip_special_tokens=False), decoded_skip_special=tokenizer.decode(ids, skip_special_tokens=True))


if __name__ == "__main__":
    for make in (falcon, neox, starcoder, o200k, removed, gemma, metaspace, mistral, plain):
        folder = os.path.join(sys.argv[1], make.__name__)
        os.makedirs(folder, exist_ok=True)
        tokenizer = make()
        with open(os.path.join(folder, "tokenizer.json"), "w") as f: f.write(tokenizer.to_str())
        with open(os.path.join(folder, "case.json"), "w") as f: json.dump({"kind": "tokenizer"}, f)
        with open(os.path.join(folder, "expected.json"), "w") as f: json.dump([expected(tokenizer, t) for t in TEXTS], f, separators=(",", ":"))
