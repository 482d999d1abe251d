"""benchmarks/compare.py on canned lines: figures are joined by name, pages keep what is written by hand."""
import os
import subprocess
import sys
import tempfile
import unittest

BENCHMARKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../benchmarks")
sys.path.insert(0, BENCHMARKS)
import page                                              # noqa: E402
from figures import Figures, attention, step             # noqa: E402
from parts import PARTS                                  # noqa: E402
from runs import Settings                                # noqa: E402


def figures(text, rename=("", "")):
    f = Figures()
    f.read(text.splitlines(), rename)
    return f


class Lines(unittest.TestCase):
    def test_names_are_the_peers(self):
        self.assertEqual(attention("sdpa", 2, True, 1, 1024), "attention.sdpa.t2.fwdbwd.B1.T1024")
        self.assertEqual(attention("softmax", 1, False, 4, 256, 6, 80), "attention.softmax.t1.fwd.B4.T256.H6.D80")
        self.assertEqual(step("attnlab", "gpt2-124m", "softmax", 2), "step.attnlab.gpt2-124m.softmax.t2")

    def test_of_several_rounds_the_best_counts(self):
        f = figures("a.min 3 ms\na.rate 5 GFLOP/s\na.peak_rss 7 MiB\n\n# machine: X\na.min 2 ms\na.rate 4 GFLOP/s\na.peak_rss 8 MiB\n")
        self.assertEqual(f.values, {"a.min": 2, "a.rate": 5, "a.peak_rss": 8})
        self.assertEqual(f.notes, {"machine": "X"})
        self.assertEqual(f.ratio("a.rate", "a.min"), 2.5)
        self.assertIsNone(f.ratio("a.rate", "b.min"))

    def test_a_name_may_be_given_another_beginning(self):
        f = figures("attention.softmax.x.min 3 ms\nattention.softmax1.x.min 4 ms\n", ("attention.softmax.", "attention.softmax@relu."))
        self.assertEqual(set(f.values), {"attention.softmax@relu.x.min", "attention.softmax1.x.min"})

    def test_contended_is_what_was_so_in_every_round(self):
        beside = "# contended: other processes used 0.5 of a core during the next figure\n"
        one = beside + "a.min 1 ms\na.median 2 ms\nb.min 1 ms\nb.median 1 ms\n"
        self.assertEqual(figures(one).contended(), (1, 2))
        self.assertNotIn("a.median", figures(one).quiet)
        self.assertIn("b.min", figures(one).quiet)
        self.assertEqual(figures(one + "a.min 3 ms\n").contended(), (0, 2))

    def test_what_is_no_figure_is_an_error(self):
        for line in ("a.min", "a.min x ms", "a.min 3 parsec", "a.min 3 ms more"):
            with self.assertRaisesRegex(ValueError, "expected `name value unit`"):
                figures(line)


class Page(unittest.TestCase):
    def test_prose_stays(self):
        text = "# Title\n\nwords\n\n<!-- begin a -->\nold\n<!-- end a -->\n\nmore\n<!-- begin b -->\nkept\n<!-- end b -->\n"
        new = page.replaced(text, "a", "new")
        self.assertEqual(new, text.replace("old\n", "\nnew\n\n"))
        self.assertEqual(page.replaced(new, "a", "new"), new)

    def test_a_new_block_goes_to_the_end(self):
        self.assertEqual(page.replaced("# Title\n", "c", "x"), "# Title\n\n## c\n\n<!-- begin c -->\n\nx\n\n<!-- end c -->\n")

    def test_an_open_block_is_an_error(self):
        for text in ("<!-- begin a -->\nold\n", "<!-- end a -->\n"):
            with self.assertRaisesRegex(ValueError, "-- (begin|end) a --"):
                page.replaced(text, "a", "new")

    def test_tables(self):
        self.assertEqual(page.table(["", "x"], [["a", None], ["b", page.number(12.345)]]), "|  | x |\n|---|---:|\n| a | – |\n| b | 12.3 |\n")


class Tables(unittest.TestCase):
    def test_every_part_stands_without_figures(self):
        for name, (runs, tables) in PARTS.items():
            s = Settings(2, 1, ["softmax", "relu"])
            self.assertTrue(runs(s), name)
            self.assertIn("|---|", tables(Figures(), s), name)

    def test_the_better_peer_counts(self):
        f = figures("step.attnlab.small.softmax.t2.min 10 ms\nstep.attnlab.small.softmax.t2.median 20 ms\nstep.torch.small.softmax.t2.min 30 ms\n"
                    "step.torch.small.softmax.t2.median 50 ms\nstep.torch-compile.small.softmax.t2.min 25 ms\nstep.torch-compile.small.softmax.t2.median 30 ms\n")
        self.assertIn("| softmax | 10.0 | – | 30.0 | 25.0 | **2.50** / 1.50 |", PARTS["step.small"][1](f, Settings(2)))

    def test_gemms_are_counted_apart(self):
        f = figures("attention.head_gate.t2.fwdbwd.B1.T1024.min 12 ms\nattention.head_gate.t2.fwdbwd.B1.T1024.gemm 2 ms\n"
                    "attention.softmax@head_gate.t2.fwdbwd.B1.T1024.min 10 ms\n")
        self.assertIn("| head_gate | – | 12.0 | 2.00 | 1.20 | 1.00 |", PARTS["policies"][1](f, Settings(2, 1, ["head_gate", "relu"])))

    def test_the_roofline(self):
        f = figures("peak.fma512.t2 500 GFLOP/s\npeak.read.t2 50 GB/s\nattention.softmax.t2.fwdbwd.B1.T1024.min 10 ms\n"
                    "attention.softmax.t2.fwdbwd.B1.T1024.rate 400 GFLOP/s\n")
        self.assertIn("| B 1, T 1024, forward + backward | 400 | 80 % | 8.00 | 0.75 | 80 % |", PARTS["attention"][1](f, Settings(2)))


PROGRAM = """#!/bin/sh
case "$*" in
policies) printf 'softmax   w = ...\\n          source X\\nrelu      w = ...\\n' ;;
*attention*) printf '# machine: CPU\\n# versions: compiler COMPILER;\\nattention.softmax.t2.fwdbwd.B1.T1024.min 10 ms\\nattention.softmax.t2.fwdbwd.B1.T1024.median 10 ms\\n' ;;
*) printf '# versions: compiler COMPILER;\\n' ;;
esac
"""
PEER = """#!/bin/sh
case "$*" in *1,12,1024,64*) printf '# torch: PyTorch 2\\nattention.sdpa.t2.fwdbwd.B1.T1024.min 31 ms\\nattention.sdpa.t2.fwdbwd.B1.T1024.median 32 ms\\n' ;; *) echo no such thing >&2; exit 1 ;; esac
"""


class Whole(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text, mode=0o755):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def run_compare(self, *words, **environment):
        base = {k: v for k, v in os.environ.items() if k not in ("ATTNLAB", "PEER_PYTHON", "REF_HOME")}
        return subprocess.run([sys.executable, "-B", os.path.join(BENCHMARKS, "compare.py"), *words, "--threads", "2", "--logs", self.folder.name,
                               "--page", os.path.join(self.folder.name, "page.md")],
                              env={**base, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def page(self):
        with open(os.path.join(self.folder.name, "page.md"), encoding="utf-8") as f:
            return f.read()

    def test_measured_joined_written_and_written_again(self):
        self.write("page.md", "by hand\n<!-- begin attention -->\n<!-- end attention -->\nby hand too\n")
        program, peer = self.write("attnlab", PROGRAM.replace("COMPILER", "12")), self.write("python", PEER)
        done = self.run_compare("attention", ATTNLAB=program, PEER_PYTHON=peer)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("round 2 of 2", done.stdout)
        self.assertIn("failed, exit 1: no such thing", done.stdout)
        text = self.page()
        self.assertIn("| B 1, T 1024, forward + backward | 10.0 | 31.0 | **3.10** / 3.20 |", text)
        self.assertIn("compiler 12; PyTorch 2", text)
        self.assertTrue(text.startswith("by hand\n") and text.endswith("\nby hand too\n"), text)
        self.assertEqual(self.run_compare("attention", "--render", ATTNLAB=program).returncode, 0)
        self.assertEqual(self.page(), text)

    def test_an_interrupted_part_goes_on_where_it_was(self):
        self.write("page.md", "")
        stop = self.write("stop", "#!/bin/sh\ncase \"$*\" in *' 2048') exit 1 ;; esac\nexec \"$@\"\n")
        program = self.write("attnlab", PROGRAM.replace("COMPILER", "12"))
        broken = self.run_compare("attention", "--through", stop, ATTNLAB=program)
        self.assertEqual(broken.returncode, 1, broken.stdout)
        resumed = self.run_compare("attention", "--resume", ATTNLAB=program)
        self.assertEqual(resumed.returncode, 0, resumed.stdout)
        self.assertNotIn("round 1 of 2, 1 of 9", resumed.stdout)
        self.assertIn("round 1 of 2, 8 of 9", resumed.stdout)
        self.assertIn("| B 1, T 1024, forward + backward | 10.0 |", self.page())

    def test_an_equal_gemm_has_a_column_of_its_own(self):
        self.write("page.md", "")
        peer = self.write("python", """#!/bin/sh
case "$*" in *--equal-gemm*) how=torch-onednn ms=3 ;; *--compile*) how=torch-compile ms=4 ;; *) how=torch ms=5 ;; esac
printf "step.$how.demo.softmax.t1.min $ms ms\\nstep.$how.demo.softmax.t1.peak_rss 700 MiB\\n"
""")
        done = self.run_compare("step.demo", "--policies", "softmax", "--rounds", "1", ATTNLAB=self.write("attnlab", PROGRAM), PEER_PYTHON=peer, REF_HOME="/nowhere")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(self.page(), r"\| softmax \| – \| – \| 5.00 \| 4.00 \| – \| 3.00 \| – \|.*\| 700 \|\n")
        self.assertNotIn("| sigmoid", self.page())

    def test_without_torch_ours_is_measured_alone(self):
        self.write("page.md", "<!-- begin attention -->\n<!-- end attention -->\n")
        done = self.run_compare("attention", ATTNLAB=self.write("attnlab", PROGRAM))
        self.assertIn("PyTorch left out (set PEER_PYTHON)", done.stdout)
        self.assertIn("| B 1, T 1024, forward + backward | 10.0 | – |", self.page())

    def test_clang_has_blocks_of_its_own(self):
        self.write("page.md", "<!-- begin attention -->\n<!-- end attention -->\n")
        self.assertEqual(self.run_compare("attention", ATTNLAB=self.write("attnlab", PROGRAM.replace("COMPILER", "Clang 14"))).returncode, 0)
        self.assertIn("<!-- begin clang.attention -->", self.page())

    def test_faults_are_one_line(self):
        program = self.write("attnlab", PROGRAM)
        for words, environment, expected in ((["nothing"], {"ATTNLAB": program}, "part 'nothing': expected"), (["masks", "--render"], {"ATTNLAB": program}, "masks.txt"),
                                             (["masks"], {"ATTNLAB": "/nowhere/attnlab"}, "/nowhere/attnlab"),
                                             (["masks"], {"ATTNLAB": self.write("broken", PROGRAM.replace("*attention*)", "*attention*) echo wrong >&2; exit 2;"))}, "wrong")):
            done = self.run_compare(*words, **environment)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(expected, done.stdout.splitlines()[-1])
            self.assertNotIn("Traceback", done.stdout)


if __name__ == "__main__":
    unittest.main()
